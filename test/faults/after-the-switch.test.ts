import {expect} from 'chai'

import type {HnswRebuildOutput} from '../../plugins/ops-hnsw/src/commands/hnsw/rebuild.js'

import {type Fault, type FaultedRun, runFaulted} from '../support/faults/faulted-run.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'

function rebuildOn(persistDir: string, fault?: Fault): Promise<FaultedRun> {
  const args = ['hnsw', 'rebuild', persistDir, '--collection', 'churned', '--database', 'default_database']
  return runFaulted({args: [...args, '--yes', '--json'], fault, scratch: temporaryFolder()})
}

describe('a rebuild whose index is in force', () => {
  it('says so when its details cannot be read any more', async () => {
    const {trace} = await rebuildOn(unpackFixture('chroma-1.5.9').persistDir)
    const commit = trace.findIndex(({detail}) => detail === 'COMMIT')
    expect(commit).to.be.within(0, trace.length - 2)

    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {code, stdout} = await rebuildOn(persistDir, {kind: 'EIO', number: trace.length})
    const {rebuilt} = JSON.parse(stdout) as HnswRebuildOutput
    expect(code).to.equal(0)
    expect(rebuilt[0]).to.include({after: null, status: 'rebuilt'})
    expect(rebuilt[0]?.warnings).to.have.lengthOf(1)
    expect(rebuilt[0]?.warnings[0]).to.match(
      /^The change is in force, but the details of the index could not be read: /,
    )
  })
})
