import {expect} from 'chai'
import {execFileSync} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import type {MaintainResult} from '../../src/commands/maintain.js'

import {chopsJson} from '../support/cli.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {withDatabase} from '../support/sql.js'
import {complete, install, isComplete, venvNamed} from './support/venv.js'

const PARSER = 'prometheus-client==0.25.0'
const READ = fileURLToPath(new URL('metrics.py', import.meta.url))

/** As it may be in a label: whatever needs to be escaped, and what does not. */
const NAME = String.raw`he said "hi\there" {a="b"} 100 %, größer` + '\nthan 1 # 2'

interface Family {
  documentation: string
  name: string
  samples: {labels: Record<string, string>; name: string; value: number}[]
  type: string
}

describe('the metrics of maintain', function () {
  this.timeout(300_000)
  const venv = venvNamed('prometheus-client')

  before(async function () {
    if (await isComplete(venv)) return
    const reason = await install(venv, [PARSER])
    if (reason === undefined) return complete(venv)
    console.warn(`The metrics of maintain are not read by the parser of Prometheus: ${reason}`)
    this.skip()
  })

  it('are read by the parser of Prometheus as they were meant', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await withDatabase(persistDir, (db) =>
      db.run("UPDATE collections SET name = ? WHERE name = 'defaults'", [NAME]),
    )
    const file = join(temporaryFolder(), 'chops.prom')
    const args = ['maintain', persistDir, '--yes', '--metrics-file', file]
    const {code, json} = await chopsJson<MaintainResult>(args)
    expect(code).to.equal(0)
    const families = read(venv.python, file)

    expect(new Set(families.map(({type}) => type))).to.deep.equal(new Set(['gauge']))
    const names = families.map(({name}) => name)
    expect(new Set(names)).to.have.property('size', names.length)
    for (const {documentation, name, samples} of families) {
      expect(documentation, name).not.to.equal('')
      expect(samples, name).not.to.have.length(0)
      expect([...new Set(samples.map((sample) => sample.name))]).to.deep.equal([name])
    }

    const samplesOf = (name: string) => families.find((family) => family.name === name)?.samples ?? []
    const valueOf = (name: string) => samplesOf(name)[0]?.value
    expect(valueOf('chops_maintain_exit_code')).to.equal(0)
    expect(valueOf('chops_maintain_duration_seconds')).to.equal(json.seconds)
    expect(valueOf('chops_maintain_time_seconds')).to.be.closeTo(Date.now() / 1000, 300)
    expect(samplesOf('chops_directory_bytes').map(({labels, value}) => [labels.when, value])).to.deep.equal([
      ['before', json.sizeBefore],
      ['after', json.sizeAfter],
    ])
    expect(
      samplesOf('chops_maintain_step_status').map(({labels, value}) => [labels.step, labels.status, value]),
    ).to.deep.equal(json.steps.map(({status, step}) => [step, status, 1]))
    const records = samplesOf('chops_collection_records')
    const labels = {collection: NAME, database: 'default_database', tenant: 'default_tenant'}
    expect(records).to.deep.include({labels, name: 'chops_collection_records', value: 537})
    expect(records.filter(({labels: {collection}}) => collection === 'churned')).to.have.length(2)
  })
})

function read(python: string, file: string): Family[] {
  return JSON.parse(execFileSync(python, [READ], {encoding: 'utf8', input: readFileSync(file)})) as Family[]
}
