import {type Collection, readCatalog, selectCollection} from '@chops/core/catalog'
import {withWriteAccess} from '@chops/core/change'
import {ChopsError} from '@chops/core/errors'
import {commitLog, rebuildIndex, type Stage} from '@chops/core/reindex'
import {expect} from 'chai'

import {WebAssembly} from '../../../core/src/hnsw/kernel/web-assembly.js'
import {unpackFixture} from '../../support/fixtures.js'
import {appendLog, locate, withoutLoaderInChildren} from '../../support/segments.js'
import {expectSound, stateOf} from '../../support/sound.js'
import {fingerprint} from '../../support/untouched.js'

type Dir = Parameters<typeof rebuildIndex>[0]

async function withChurned<T>(
  persistDir: string,
  run: (dir: Dir, churned: Collection) => Promise<T>,
): Promise<T> {
  return withWriteAccess(persistDir, {}, async (dir) =>
    run(dir, selectCollection(await readCatalog(dir), {name: 'churned'})),
  )
}

describe('building an index anew', () => {
  withoutLoaderInChildren()

  it('reports its stages in their order, each up to its end', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const stages: Stage[] = []
    const ends = new Map<Stage, [done: number, total: number]>()
    const onStage = (stage: Stage, done: number, total: number): void => {
      if (stages.at(-1) !== stage) stages.push(stage)
      expect(done).to.be.at.most(total)
      ends.set(stage, [done, total])
    }

    await withChurned(persistDir, (dir, churned) => rebuildIndex(dir, churned, {backup: false, onStage}))
    expect(stages).to.deep.equal(['read', 'build', 'verify', 'switch'])
    for (const stage of ['read', 'build', 'verify'] as const) {
      const [done, total] = ends.get(stage) ?? []
      expect(done, stage).to.equal(total)
    }
  })

  it('repairs nothing where WebAssembly gets no memory, as below `ulimit -v`, but builds in full', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {Memory} = WebAssembly
    WebAssembly.Memory = class {
      constructor() {
        throw new RangeError('could not allocate memory')
      }
    } as never
    try {
      const rebuilt = await withChurned(persistDir, (dir, churned) =>
        rebuildIndex(dir, churned, {backup: false, method: 'repair'}),
      )
      expect(rebuilt?.result.method).to.equal('full')
      expect(rebuilt?.result.verified.recall).to.equal(1)
      expect(rebuilt?.result.reason).to.match(
        /^WebAssembly gets no \S+B of memory for a repair here, as where ulimit -v is set$/,
      )
    } finally {
      WebAssembly.Memory = Memory
    }
  })

  for (const at of ['read', 'build', 'verify'] as const) {
    it(`can be interrupted while it is at ${at}, and leaves nothing`, async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const before = fingerprint(persistDir)
      const interruption = new AbortController()
      const onStage = (stage: Stage): void => {
        if (stage === at) interruption.abort()
      }

      const options = {backup: true, onStage, signal: interruption.signal}
      const error: unknown = await withChurned(persistDir, (dir, churned) =>
        rebuildIndex(dir, churned, options).catch((error_: unknown) => error_),
      )
      expect((error as Error).name).to.equal('AbortError')
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  }

  it('is not started by a signal that came before', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const signal = AbortSignal.abort()
    for (const change of [
      (dir: Dir, churned: Collection) => rebuildIndex(dir, churned, {backup: true, signal}),
      (dir: Dir, churned: Collection) => commitLog(dir, churned, {signal}),
    ]) {
      const error: unknown = await withChurned<unknown>(persistDir, change).catch((error_: unknown) => error_)
      expect((error as Error).name).to.equal('AbortError')
    }

    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  // Between reading the catalog and getting the write lock another process may have replaced the index.
  for (const name of ['chroma-0.5.5', 'chroma-1.5.9'] as const) {
    it(`${name}: of a collection that was rebuilt meanwhile takes the new index, or says that it is in use`, async () => {
      const {expected, persistDir} = unpackFixture(name)
      const before = await stateOf(name)
      await withChurned(persistDir, async (dir, stale) => {
        await rebuildIndex(dir, stale, {backup: true})
        const second: unknown = await rebuildIndex(dir, stale, {backup: false}).catch(
          (error: unknown) => error,
        )
        if (second instanceof ChopsError) expect(second.kind, second.message).to.equal('in-use')
        else
          expect((second as {segmentId: string}).segmentId).to.equal(
            (await locate(persistDir, 'churned')).segmentId,
          )
      })
      await expectSound(persistDir, {before, expected})
    })
  }
})

describe('committing the log', () => {
  withoutLoaderInChildren()

  it('does nothing when nothing is pending', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await withChurned(persistDir, (dir, churned) => commitLog(dir, churned))
    const before = fingerprint(persistDir)
    expect(await withChurned(persistDir, (dir, churned) => commitLog(dir, churned))).to.equal(undefined)
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('applies a row that changes nothing, so that it does not stay pending', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await withChurned(persistDir, (dir, churned) => commitLog(dir, churned))
    const {topic} = await locate(persistDir, 'churned')
    const [seqId] = await appendLog(persistDir, topic, [{id: 'nobody', operation: 3}])
    const committed = await withChurned(persistDir, (dir, churned) => commitLog(dir, churned))
    expect(committed?.result).to.include({appliedRows: 1, method: 'extend'})
    expect(committed?.backup).to.equal(undefined)
    expect((await locate(persistDir, 'churned')).vectorSegment?.maxSeqId).to.equal(seqId)
  })

  it('of an index that was never persisted takes deletes that the metadata has not seen yet', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {topic} = await locate(persistDir, 'wal_only')
    await appendLog(persistDir, topic, [
      {id: 'id-0', operation: 3},
      {id: 'id-1', operation: 3},
    ])
    const committed = await withWriteAccess(persistDir, {}, async (dir) =>
      commitLog(dir, selectCollection(await readCatalog(dir), {name: 'wal_only'})),
    )
    expect(committed?.result).to.include({appliedRows: 18, elements: 14, method: 'full'})
  })
})
