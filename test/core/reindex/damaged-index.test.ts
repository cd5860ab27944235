import {readCatalog} from '@chops/core/catalog'
import {withWriteAccess} from '@chops/core/change'
import {ChopsError} from '@chops/core/errors'
import {commitLog, rebuildIndex, type RebuiltIndex} from '@chops/core/reindex'
import {expect} from 'chai'
import {readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {encodeHeader, type HnswHeader, readHeader} from '../../../core/src/hnsw/header.js'
import {type Damage, DAMAGE, overwrite} from '../../support/damage.js'
import {folderFingerprint} from '../../support/faults/persist-state.js'
import {unpackFixture} from '../../support/fixtures.js'
import {
  appendLog,
  locate,
  type Located,
  markDeleted,
  withoutLoaderInChildren,
} from '../../support/segments.js'
import {rewriteMetadata} from '../../check/breaks.js'
import {expectSound, type PersistState, readPersistState, stateOf} from '../../support/sound.js'
import {withDatabase} from '../../support/sql.js'
import {fingerprint} from '../../support/untouched.js'

type Work = (dir: Parameters<typeof rebuildIndex>[0], collection: Located) => Promise<unknown>

/** Opens a directory for writing and works on a collection as it is now. */
async function work<T>(
  persistDir: string,
  located: Located,
  run: (...args: Parameters<Work>) => Promise<T>,
): Promise<T> {
  return withWriteAccess(persistDir, {}, async (dir) => {
    const {collections} = await readCatalog(dir)
    const collection = collections.find(({id}) => id === located.id)
    return run(dir, {...located, ...collection})
  })
}

const rebuild = (persistDir: string, located: Located): Promise<RebuiltIndex | undefined> =>
  work(persistDir, located, (dir, collection) => rebuildIndex(dir, collection, {backup: true}))

async function setHeader(folder: string, change: Partial<HnswHeader>): Promise<void> {
  writeFileSync(join(folder, 'header.bin'), encodeHeader({...(await readHeader(folder)), ...change}))
}

/** Overwrites a word of an element's list of links at level 0; word 0 has their number, the links follow. */
async function setLink(folder: string, element: number, word: number, value: number): Promise<void> {
  const {sizeDataPerElement} = await readHeader(folder)
  const bytes = new Uint8Array(Uint32Array.of(value).buffer)
  overwrite(join(folder, 'data_level0.bin'), element * sizeDataPerElement + 4 * word, bytes)
}

type Spoil = [title: string, spoil: (folder: string) => Promise<void> | void]

function damages(file: string, kinds: Damage[]): Spoil[] {
  return kinds.map((kind) => [`${file} ${kind}`, (folder) => DAMAGE[kind](join(folder, file))])
}

const LINKS: Spoil[] = [
  ...damages('link_lists.bin', ['empty', 'missing', 'noisy', 'truncated', 'cut by one byte']),
  ['an entry point out of range', (folder) => setHeader(folder, {enterpoint: 1_000_000})],
  ['an impossible highest level', (folder) => setHeader(folder, {maxLevel: 90})],
  ['a link out of range at level 0', (folder) => setLink(folder, 3, 1, 0xff_ff_ff_f0)],
  ['more links than there is room for', (folder) => setLink(folder, 0, 0, 0xff_ff)],
]

const VECTORS: [says: RegExp, ...Spoil][] = [
  ...damages('header.bin', ['empty', 'missing', 'noisy', 'truncated', 'cut by one byte']).map(
    (spoil) => [/header\.bin/, ...spoil] as [RegExp, ...Spoil],
  ),
  ...damages('data_level0.bin', ['empty', 'missing', 'noisy', 'truncated']).map(
    (spoil) => [/data_level0\.bin/, ...spoil] as [RegExp, ...Spoil],
  ),
  // Any bytes are norms: noise is not seen.
  ...damages('length.bin', ['empty', 'missing', 'truncated']).map(
    (spoil) => [/length\.bin/, ...spoil] as [RegExp, ...Spoil],
  ),
  ...damages('index_metadata.pickle', ['empty', 'missing', 'noisy', 'truncated', 'cut by one byte']).map(
    (spoil) => [/index_metadata\.pickle/, ...spoil] as [RegExp, ...Spoil],
  ),
  [
    /header\.bin .*more|has room for/,
    'more elements than there is room for',
    (folder) => setHeader(folder, {maxElements: 10}),
  ],
  [
    /data_level0\.bin lacks the vectors of 1 ids .*\("id-\d+"\)\.$/,
    'a vector that is marked as deleted',
    async (folder) => {
      const {curElementCount} = await readHeader(folder)
      // The last element is one of those that no one has deleted.
      await markDeleted(folder, curElementCount - 1)
    },
  ],
]

describe('an index whose links are damaged', () => {
  withoutLoaderInChildren()

  for (const [title, spoil] of LINKS) {
    it(`${title}: is rebuilt all the same`, async () => {
      const {expected, persistDir} = unpackFixture('chroma-1.5.9')
      const located = await locate(persistDir, 'churned')
      await spoil(located.folder)
      const spoilt = withFolder(await stateOf('chroma-1.5.9'), located.id, folderFingerprint(located.folder))
      const rebuilt = await rebuild(persistDir, located)
      expect(rebuilt?.result).to.include({appliedRows: 20, elements: 200, method: 'full'})
      await expectSound(persistDir, {before: spoilt, expected})
    })
  }

  it('is built anew by a commit of the log as well', async () => {
    const {expected, persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'churned')
    DAMAGE.noisy(join(located.folder, 'link_lists.bin'))
    const committed = await work(persistDir, located, (dir, collection) =>
      commitLog(dir, collection, {threads: 1}),
    )
    expect(committed?.result).to.include({appliedRows: 20, elements: 200, method: 'full'})
    await expectSound(persistDir, {before: await stateOf('chroma-1.5.9'), expected})
  })
})

/** A state in which the folder of one collection has other bytes. */
function withFolder(state: PersistState, id: string, fingerprint: string): PersistState {
  const collection = state.collections.get(id)
  if (!collection) throw new Error(`there is no collection ${id}`)
  return {...state, collections: new Map(state.collections).set(id, {...collection, fingerprint})}
}

describe('an index whose vectors or ids are damaged', () => {
  for (const name of ['chroma-0.6.3', 'chroma-1.5.9'] as const) {
    // Of all files only the pickle differs.
    const spoils = name === 'chroma-1.5.9' ? VECTORS : VECTORS.filter(([, title]) => title.includes('pickle'))
    for (const [says, title, spoil] of spoils) {
      it(`${name}: ${title}: is refused in one sentence, and not a byte changes`, async () => {
        const {persistDir} = unpackFixture(name)
        const located = await locate(persistDir, 'churned')
        await spoil(located.folder)
        const before = fingerprint(persistDir)
        for (const change of [rebuild, commit]) {
          const error: unknown = await change(persistDir, located).catch((error_: unknown) => error_)
          expectOneSentence(error, says)
        }

        expect(fingerprint(persistDir)).to.deep.equal(before)
      })
    }
  }

  it('of another dimension than the collection is refused', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'inner_product')
    await withDatabase(persistDir, (db) =>
      db.run('UPDATE collections SET dimension = 9 WHERE id = ?', [located.id]),
    )
    const before = fingerprint(persistDir)
    const error: unknown = await rebuild(persistDir, located).catch((error_: unknown) => error_)
    expectOneSentence(error, /header\.bin has vectors of 8 dimensions, and the collection has 9\.$/)
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('and that holds one label twice is refused', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'inner_product')
    const {labelOffset, sizeDataPerElement} = await readHeader(located.folder)
    const file = join(located.folder, 'data_level0.bin')
    const label = readFileSync(file).subarray(4 * sizeDataPerElement + labelOffset, 5 * sizeDataPerElement)
    overwrite(file, 5 * sizeDataPerElement + labelOffset, label)
    const error: unknown = await rebuild(persistDir, located).catch((error_: unknown) => error_)
    expectOneSentence(error, /data_level0\.bin/)
  })

  it('without its ids is not taken for an empty one when part of the log is gone', async () => {
    for (const change of [rebuild, commit]) {
      const {persistDir} = unpackFixture('chroma-0.5.5')
      const located = await locate(persistDir, 'churned')
      rmSync(join(located.folder, 'index_metadata.pickle'))
      await withDatabase(persistDir, (db) =>
        db.run('DELETE FROM embeddings_queue WHERE topic = ? AND seq_id <= 400', [located.topic]),
      )
      const before = fingerprint(persistDir)
      const error: unknown = await change(persistDir, located).catch((error_: unknown) => error_)
      expectOneSentence(error, /index_metadata\.pickle/)
      expect(fingerprint(persistDir)).to.deep.equal(before)
    }
  })

  it('without its ids is built from the log when that still has everything', async () => {
    const {expected, persistDir} = unpackFixture('chroma-0.5.5')
    const located = await locate(persistDir, 'churned')
    rmSync(join(located.folder, 'index_metadata.pickle'))
    const before = await readPersistState(persistDir)
    expect((await rebuild(persistDir, located))?.result).to.include({appliedRows: 420, elements: 200})
    await expectSound(persistDir, {before, expected})
  })
})

const commit = (persistDir: string, located: Located): Promise<unknown> =>
  work(persistDir, located, (dir, collection) => commitLog(dir, collection, {threads: 1}))

function expectOneSentence(error: unknown, says: RegExp): void {
  if (!(error instanceof ChopsError)) throw error instanceof Error ? error : new Error('it did not fail')
  expect(error.kind).to.equal('damaged')
  expect(error.message)
    .to.match(says)
    .and.to.match(/^\S[^\n]*\.$/)
  expect(error.next).to.match(/^\S[^\n]*\.$/)
}

describe('an id map in which two ids have one label', () => {
  withoutLoaderInChildren()

  for (const [change, run] of Object.entries({commitLog, rebuildIndex})) {
    it(`stops ${change}, which names them and changes nothing: one vector would be lost`, async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const located = await locate(persistDir, 'churned')
      let ids: string[] = []
      await rewriteMetadata(located.folder, ({idToLabel}) => {
        ids = [...idToLabel.keys()].slice(0, 2)
        const [first = '', second = ''] = ids
        idToLabel.set(second, idToLabel.get(first) ?? 0)
      })
      const before = fingerprint(persistDir)
      const error: unknown = await work<unknown>(persistDir, located, (dir, collection) =>
        run(dir, collection, {backup: false}),
      ).catch((error_: unknown) => error_)
      expect(error).to.be.instanceOf(ChopsError).with.property('kind', 'damaged')
      for (const id of ids) expect((error as Error).message).to.include(JSON.stringify(id))
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  }
})

describe('an id map whose count of labels lags behind them', () => {
  withoutLoaderInChildren()

  for (const [change, run] of Object.entries({commitLog, rebuildIndex})) {
    it(`is put right by ${change}, and no record gets the label of another`, async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      const located = await locate(persistDir, 'churned')
      await rewriteMetadata(located.folder, (metadata) => {
        metadata.totalElementsAdded = 10
      })
      const before = await readPersistState(persistDir)
      const vector = new Float32Array(8).fill(0.5)
      await appendLog(persistDir, located.topic, [{id: 'new', operation: 0, vector}])
      await work<unknown>(persistDir, located, (dir, collection) => run(dir, collection, {backup: false}))
      const {collections, problems} = await readPersistState(persistDir)
      expect(problems).to.deep.equal(before.problems.filter((problem) => !problem.includes('H15')))
      const [old, now] = [before, {collections}].map((state) => state.collections.get(located.id)?.indexed)
      expect(now?.has('new')).to.equal(true)
      expect(now?.size).to.be.at.least(old?.size ?? 0)
    })
  }
})
