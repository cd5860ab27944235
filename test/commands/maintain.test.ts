import {expect} from 'chai'
import {existsSync, readFileSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import type {MaintainResult} from '../../src/commands/maintain.js'

import {withPassLock} from '../../core/src/change/pass-lock.js'
import {maintain, type PassOptions} from '../../src/lib/maintain/pass.js'
import {passText} from '../../src/lib/maintain/render.js'
import {alarmsOf, check, copyOfFixture} from '../check/support.js'
import {whileOpenElsewhere} from '../support/background.js'
import {chops, chopsJson} from '../support/cli.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {appendManyAdds, hasProcessFiles, locate} from '../support/segments.js'
import {expectSound, stateOf} from '../support/sound.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

const ROOT = new URL('../../', import.meta.url).pathname

describe('maintain', function () {
  // A pass is up to eight processes one after the other.
  this.timeout(300_000)

  it('says what a pass would do and changes nothing with --dry-run', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const {code, json} = await chopsJson<MaintainResult>(['maintain', persistDir, '--dry-run'])
    expect(code).to.equal(0)
    expectToMatchSchema('maintain', json)
    expect(statusOf(json)).to.include({
      check: 'done',
      clean: 'planned',
      commit: 'planned',
      log: 'planned',
      rebuild: 'planned',
    })
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('does all that a directory needs, and the second time finds nothing to do', async () => {
    const {expected, persistDir} = unpackFixture('chroma-0.6.3')
    const metrics = join(temporaryFolder(), 'chops.prom')
    const first = await chopsJson<MaintainResult>([
      'maintain',
      persistDir,
      '--yes',
      '--metrics-file',
      metrics,
    ])
    expect(first.code).to.equal(0)
    expectToMatchSchema('maintain', first.json)
    expect(statusOf(first.json)).to.include({check: 'done', commit: 'done', log: 'done', rebuild: 'done'})
    expect(first.json.remaining).to.deep.equal([])
    const text = readFileSync(metrics, 'utf8')
    expect(text).to.match(/^chops_maintain_exit_code 0$/m)
    expect(text).to.match(/^chops_maintain_step_status\{status="done",step="commit"\} 1$/m)
    expect(text).to.match(
      /^chops_collection_records\{collection="churned",database="prod",tenant="acme"\} \d+$/m,
    )
    await expectSound(persistDir, {
      before: await stateOf('chroma-0.6.3'),
      expected,
      fine: /folder|\.chops\.lock/,
    })
    expect(alarmsOf(await check(persistDir))).to.deep.equal([])

    const second = await chopsJson<MaintainResult>(['maintain', persistDir, '--yes'])
    expect(second.code).to.equal(0)
    const {check: checked, ...others} = statusOf(second.json)
    expect(checked).to.equal('done')
    expect(new Set(Object.values(others))).to.deep.equal(new Set(['skipped']))
  })

  it('shows the plan and asks; no changes nothing', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const {code, stderr, stdout} = await chops(['maintain', persistDir], {input: 'n\n'})
    expect(code).to.equal(0)
    expect(stdout).to.match(/What a maintenance pass would do/)
    expect(stderr).to.match(/Are you sure you want to maintain .* \[y\/N\]/)
    expect(stdout).to.match(/Cancelled: nothing was changed\.\n$/)
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('refuses to run beside another pass, and says which process makes it', async function () {
    if (!hasProcessFiles()) this.skip()
    const persistDir = copyOfFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    await withPassLock(persistDir, async () => {
      const {code, stderr} = await chops(['maintain', persistDir, '--yes'])
      expect(code).to.equal(3)
      expect(stderr).to.match(new RegExp(`Another maintenance pass .* in process ${process.pid} `))
    })
    expect(fingerprint(persistDir).filter((line) => !line.startsWith('.chops.lock'))).to.deep.equal(before)
    expect((await chops(['maintain', persistDir, '--yes'])).code).to.equal(0)
  })

  it('ends with 3 while Chroma has the directory open', async function () {
    if (!hasProcessFiles()) this.skip()
    const persistDir = copyOfFixture('chroma-1.5.9')
    await whileOpenElsewhere(persistDir, async (pid) => {
      const {code, json} = await chopsJson<MaintainResult>(['maintain', persistDir, '--yes'])
      expect(code).to.equal(3)
      expect(json.steps.find(({step}) => step === 'commit')).to.include({status: 'failed'})
      expect(json.steps.find(({step}) => step === 'commit')?.detail).to.include(`process ${pid}`)
    })
  })

  it('ends with 3 as well when there is nothing to do meanwhile', async function () {
    if (!hasProcessFiles()) this.skip()
    const persistDir = copyOfFixture('chroma-1.5.9')
    await chops(['maintain', persistDir, '--yes'])
    await whileOpenElsewhere(persistDir, async () => {
      const {code, json} = await chopsJson<MaintainResult>(['maintain', persistDir, '--yes'])
      expect(code).to.equal(3)
      expect(json.remaining.map(({id}) => id)).to.deep.equal(['P1'])
    })
  })

  it('cures an index whose links are damaged, and leaves one whose ids are lost as it is', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const curable = await locate(persistDir, 'churned')
    const lost = await locate(persistDir, 'inner_product')
    writeFileSync(join(curable.folder, 'link_lists.bin'), Buffer.alloc(64, 0xff))
    truncateSync(join(lost.folder, 'index_metadata.pickle'), 20)
    const files = fingerprint(lost.folder)
    const {code, json} = await chopsJson<MaintainResult>(['maintain', persistDir, '--yes'])
    expect(code).to.equal(1)
    expect(statusOf(json)).to.include({commit: 'done', rebuild: 'done'})
    const collections = new Set(json.remaining.map(({collection}) => collection?.name))
    expect(collections).to.deep.equal(new Set(['inner_product']))
    expect(fingerprint(lost.folder)).to.deep.equal(files)
    const after = await check(persistDir)
    expect(
      new Set(after.findings.filter(({severity}) => severity === 'C').map((one) => one.collection?.name)),
    ).to.deep.equal(new Set(['inner_product']))
  })

  it('leaves the finding of an index that it did not rebuild, whatever it rebuilt besides', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const {folder} = await locate(persistDir, 'inner_product')
    writeFileSync(join(folder, 'link_lists.bin'), Buffer.alloc(64, 0xff))
    // Which no rebuild cures.
    await withDatabase(persistDir, (db) =>
      db.exec("UPDATE collections SET dimension = dimension + 1 WHERE name = 'inner_product'"),
    )
    const {code, json} = await chopsJson<MaintainResult>(['maintain', persistDir, '--yes'])
    expect(code).to.equal(1)
    expect(statusOf(json)).to.include({rebuild: 'done'})
    const commands = json.remaining.map(({command}) => command ?? '')
    expect(commands.filter((command) => command.startsWith('chops hnsw rebuild '))).to.not.deep.equal([])
  })

  it('leaves the finding of a log that it did not commit, whatever it committed besides', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const damaged = await locate(persistDir, 'churned')
    truncateSync(join(damaged.folder, 'index_metadata.pickle'), 20)
    // Of the same name, by which a commit leaves collections out.
    const waiting = await locate(persistDir, 'churned', 'acme')
    await appendManyAdds(persistDir, waiting.topic, 1500, waiting.dimension ?? 0)
    const {json} = await chopsJson<MaintainResult>(['maintain', persistDir, '--yes'])
    expect(statusOf(json)).to.include({commit: 'done'})
    const found = json.remaining.filter(({id}) => id === 'W6').map(({collection}) => collection?.id)
    expect(found).to.deep.equal([waiting.id])
  })

  it('rebuilds a damaged full-text index', async () => {
    const persistDir = copyOfFixture('chroma-0.6.3')
    await withDatabase(persistDir, (db) =>
      db.exec('DELETE FROM embedding_fulltext_search_data WHERE id > 10'),
    )
    const {code, json} = await chopsJson<MaintainResult>(['maintain', persistDir, '--yes'])
    expect(json.steps.find(({step}) => step === 'fts')).to.include({status: 'done'})
    expect(code).to.equal(0)
    expect(alarmsOf(await check(persistDir))).to.deep.equal([])
  })

  it('touches nothing when the database itself is damaged', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    await withDatabase(persistDir, (db) => db.exec('DROP TABLE embedding_metadata'))
    const before = fingerprint(persistDir)
    const {code, json} = await chopsJson<MaintainResult>(['maintain', persistDir, '--yes'])
    expect(code).to.equal(1)
    const changing = json.steps.filter(({step}) => step !== 'check')
    expect(new Set(changing.map(({status}) => status))).to.deep.equal(new Set(['skipped']))
    expect(fingerprint(persistDir).filter((line) => !line.startsWith('.chops.lock'))).to.deep.equal(before)
  })

  it('leaves what only db check --fix repairs', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    await withDatabase(persistDir, (db) =>
      db.exec(`UPDATE max_seq_id SET seq_id = X'00000000000001A4'
               WHERE segment_id = (SELECT id FROM segments WHERE scope = 'METADATA' LIMIT 1)`),
    )
    const {code, json} = await chopsJson<MaintainResult>(['maintain', persistDir, '--yes'])
    expect(json.remaining.map(({id}) => id)).to.include('W1')
    expect(code).to.equal(1)
  })

  it('leaves out what is not wanted, and what no plugin brings', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const pass = await maintain({
      ...options(persistDir),
      hasCommand: (id) => id !== 'hnsw:rebuild',
      without: new Set(['commit', 'log']),
    })
    const details = Object.fromEntries(pass.steps.map(({detail, step}) => [step, detail]))
    expect(details).to.include({commit: 'not wanted', log: 'not wanted'})
    expect(details.rebuild).to.match(/no plugin brings chops hnsw rebuild/)
  })

  it('follows how far the command of each step has come', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    for (const name of ['churned', 'inner_product']) {
      const {folder} = await locate(persistDir, name)
      writeFileSync(join(folder, 'link_lists.bin'), Buffer.alloc(64, 0xff))
    }

    const said: string[] = []
    await maintain({
      ...options(persistDir),
      onStep(step, progress) {
        const unit = progress?.unit ?? ''
        if (progress) said.push(`${step}: ${progress.title} ${unit}`.trimEnd())
        if (progress) expect(progress.done).to.be.within(0, progress.total)
      },
    })
    expect(said).to.include('check: Check the log')
    expect(said).to.include('commit: Adding to the graph vectors')
    for (const place of ['1 of 2', '2 of 2'])
      expect(said).to.include(`rebuild: Verifying vectors, links and recall (${place})`)
  })

  it('hands the limit of memory on to what builds an index', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const args = ['maintain', persistDir, '--yes', '--max-memory', '1MB']
    const {code, json} = await chopsJson<MaintainResult>(args)
    expect(code).to.not.equal(0)
    for (const step of ['commit', 'rebuild']) {
      const found = json.steps.find((one) => one.step === step)
      expect(found).to.include({status: 'failed'})
      expect(found?.detail).to.match(/memory/)
    }
  })

  it('stops when the time is over', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const pass = await maintain({...options(persistDir), maxTime: 1})
    expect(pass.steps[0]).to.include({status: 'stopped', step: 'check'})
    expect(passText(pass)).to.match(/^The directory could not be checked; /)
    expect(existsSync(join(persistDir, '.chops.lock'))).to.equal(true)
    expect(fingerprint(persistDir).filter((line) => !line.startsWith('.chops.lock'))).to.deep.equal(before)
  })
})

function options(persistDirectory: string): PassOptions {
  return {
    backup: false,
    dryRun: false,
    fragmentation: 0.2,
    hasCommand: () => true,
    maxMemory: undefined,
    maxTime: undefined,
    persistDirectory,
    root: ROOT,
    signal: new AbortController().signal,
    without: new Set(),
  }
}

function statusOf({steps}: MaintainResult): Record<string, string> {
  return Object.fromEntries(steps.map(({status, step}) => [step, status]))
}
