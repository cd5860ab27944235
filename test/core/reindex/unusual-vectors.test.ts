import {ChopsError} from '@chops/core/errors'
import {withWriteAccess} from '@chops/core/change'
import {commitLog, rebuildIndex} from '@chops/core/reindex'
import {expect} from 'chai'
import {join} from 'node:path'

import {readHeader} from '../../../core/src/hnsw/header.js'
import {readIndexMetadata} from '../../../core/src/hnsw/index-metadata.js'
import {DAMAGE, type Damage, overwrite} from '../../support/damage.js'
import {withEnvironment, without} from '../build/vectors.js'
import {unpackFixture} from '../../support/fixtures.js'
import {
  appendLog,
  appendManyAdds,
  locate,
  type Located,
  withoutLoaderInChildren,
} from '../../support/segments.js'
import {readPersistState, stateOf} from '../../support/sound.js'
import {fingerprint} from '../../support/untouched.js'
import {readElements} from '../../support/elements.js'

const CHANGES = {
  'hnsw rebuild': rebuildIndex,
  'wal commit': commitLog,
} as const
const BACKUP = {backup: true}

async function refusal(persistDir: string, change: keyof typeof CHANGES, {id}: Located): Promise<ChopsError> {
  const error: unknown = await withWriteAccess(persistDir, {}, (dir) =>
    CHANGES[change](dir, {id}, BACKUP).catch((error_: unknown) => error_),
  )
  if (error instanceof ChopsError) return error
  throw error instanceof Error ? error : new Error(`${change} did not fail`)
}

/** Overwrites the vector of a record of the index, whose links stay as they are. */
async function setVector({folder}: Located, id: string, vector: Float32Array): Promise<void> {
  const header = await readHeader(folder)
  const {idToLabel} = await readIndexMetadata(join(folder, 'index_metadata.pickle'), {ids: true})
  const {labels} = await readElements(folder, header, 'l2')
  const position = [...labels].indexOf(idToLabel.get(id) ?? -1)
  const {offsetData, sizeDataPerElement} = header
  const at = position * sizeDataPerElement + offsetData
  overwrite(join(folder, 'data_level0.bin'), at, new Uint8Array(vector.buffer))
}

/** Overwrites the norms of records that the log of the fixture does not change. */
async function loseNorms({folder}: Located, count: number): Promise<string[]> {
  const header = await readHeader(folder)
  const {idToLabel} = await readIndexMetadata(join(folder, 'index_metadata.pickle'), {ids: true})
  const {internalIds, labels} = await readElements(folder, header, 'cosine')
  const byLabel = new Map([...idToLabel].map(([id, label]) => [label, id]))
  const first = labels.length - count
  return [...labels].slice(first).map((label, i) => {
    overwrite(join(folder, 'length.bin'), 4 * (internalIds[first + i] ?? 0), new Uint8Array(4))
    return byLabel.get(label) ?? ''
  })
}

function vectorWith(value: number): Float32Array {
  const vector = new Float32Array(8).fill(0.5)
  vector[3] = value
  return vector
}

describe('vectors that are no numbers', () => {
  withoutLoaderInChildren()

  for (const change of ['hnsw rebuild', 'wal commit'] as const) {
    for (const value of [Number.NaN, -Infinity]) {
      it(`${value} in the index stops ${change}, which names the record and changes nothing`, async () => {
        const {persistDir} = unpackFixture('chroma-1.5.9')
        const located = await locate(persistDir, 'inner_product')
        await setVector(located, 'v70', vectorWith(value))
        await appendLog(persistDir, located.topic, [{id: 'new', operation: 0, vector: vectorWith(1)}])
        const before = fingerprint(persistDir)
        const {kind, message, next} = await refusal(persistDir, change, located)
        expect(kind).to.equal('damaged')
        expect(message).to.match(
          /^The vectors of 1 records of collection inner_product hold NaN .*\("v70"\)\.$/,
        )
        expect(next).to.match(/^Write these records again or delete them with Chroma/)
        expect(fingerprint(persistDir)).to.deep.equal(before)
      })

      it(`${value} in the log stops ${change}, which names the record and changes nothing`, async () => {
        const {persistDir} = unpackFixture('chroma-1.5.9')
        const located = await locate(persistDir, 'churned')
        await appendLog(persistDir, located.topic, [{id: 'new', operation: 0, vector: vectorWith(value)}])
        const before = fingerprint(persistDir)
        const {message} = await refusal(persistDir, change, located)
        expect(message).to.match(/^The vectors of 1 records of collection churned .*\("new"\)\.$/)
        expect(fingerprint(persistDir)).to.deep.equal(before)
      })
    }
  }

  it('are no obstacle once the record was written again, or deleted', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'inner_product')
    await setVector(located, 'v70', vectorWith(Number.NaN))
    await setVector(located, 'v80', vectorWith(Number.NaN))
    await appendLog(persistDir, located.topic, [
      {id: 'v70', operation: 1, vector: vectorWith(2)},
      {id: 'v80', operation: 3},
    ])
    await withWriteAccess(persistDir, {}, (dir) => rebuildIndex(dir, located, BACKUP))
    const {collections, problems} = await readPersistState(persistDir)
    expect(problems).to.deep.equal([])
    expect(collections.get(located.id)?.indexed.has('v80')).to.equal(false)
  })

  it('such as the norm of a vector that is too long for cosine stop a change of the space', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'inner_product')
    await setVector(located, 'v70', vectorWith(3e38))
    const before = fingerprint(persistDir)
    const error: unknown = await withWriteAccess(persistDir, {}, (dir) =>
      rebuildIndex(dir, located, {backup: true, changes: {space: 'cosine'}}).catch(
        (error_: unknown) => error_,
      ),
    )
    expect((error as Error).message).to.include('norms that no vector can have ("v70")')
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })
})

describe('norms of a cosine index that were overwritten with zeros', () => {
  withoutLoaderInChildren()

  for (const change of ['hnsw rebuild', 'wal commit'] as const) {
    it(`stop ${change}, which names the records and changes nothing`, async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const located = await locate(persistDir, 'churned')
      const [first] = await loseNorms(located, 2)
      await appendLog(persistDir, located.topic, [{id: 'new', operation: 0, vector: vectorWith(1)}])
      const before = fingerprint(persistDir)
      const {kind, message, next} = await refusal(persistDir, change, located)
      expect(kind).to.equal('damaged')
      expect(message).to.match(
        /^The norms of 2 records of collection churned are 0 in length\.bin, although their vectors are not /,
      )
      expect(message).to.include(JSON.stringify(first))
      expect(next).to.match(/^Write these records again or delete them with Chroma/)
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    it(`are no obstacle to ${change} once the records were written again, or deleted`, async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const located = await locate(persistDir, 'churned')
      const [again = '', gone = ''] = await loseNorms(located, 2)
      await appendLog(persistDir, located.topic, [
        {id: again, operation: 1, vector: vectorWith(2)},
        {id: gone, operation: 3},
      ])
      await withWriteAccess<unknown>(persistDir, {}, (dir) => CHANGES[change](dir, located, BACKUP))
      const {collections, problems} = await readPersistState(persistDir)
      expect(problems).to.deep.equal([])
      expect(collections.get(located.id)?.indexed.has(gone)).to.equal(false)
      expect(collections.get(located.id)?.indexed.has(again)).to.equal(true)
    })
  }

  it('stop a change of the space, which would store the zeros', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'churned')
    await loseNorms(located, 1)
    const error: unknown = await withWriteAccess(persistDir, {}, (dir) =>
      rebuildIndex(dir, located, {backup: true, changes: {space: 'l2'}}).catch((error_: unknown) => error_),
    )
    expect((error as Error).message).to.include('The norms of 1 records')
  })
})

describe('length.bin of an index that is not a cosine one', () => {
  withoutLoaderInChildren()

  for (const kind of ['empty', 'missing', 'noisy', 'truncated'] as Damage[]) {
    it(`${kind}: stops neither a rebuild nor a commit, since no engine looks at its bytes`, async () => {
      for (const change of [rebuildIndex, commitLog]) {
        const {persistDir} = unpackFixture('chroma-1.5.9')
        const before = await stateOf('chroma-1.5.9')
        const located = await locate(persistDir, 'churned', 'acme')
        await appendLog(persistDir, located.topic, [{id: 'new', operation: 0, vector: vectorWith(1)}])
        DAMAGE[kind](join(located.folder, 'length.bin'))
        await withWriteAccess<unknown>(persistDir, {}, (dir) => change(dir, located, {backup: false}))
        const {collections, problems} = await readPersistState(persistDir)
        expect(problems).to.deep.equal([])
        const ids = before.collections.get(located.id)?.indexed.keys() ?? []
        expect([...(collections.get(located.id)?.indexed.keys() ?? [])].toSorted()).to.deep.equal(
          [...ids, 'new'].toSorted(),
        )
      }
    })
  }
})

describe('a graph whose recall is low', () => {
  withoutLoaderInChildren()

  it('is built once more by the reference library, which has the last word', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'odd-name_1')
    await appendManyAdds(persistDir, located.topic, 3000, 8)
    const changes = {constructionEf: 2, m: 2}
    const rebuilt = await withWriteAccess(persistDir, {}, (dir) =>
      rebuildIndex(dir, located, {backup: false, changes}),
    )
    expect(rebuilt?.result.engine).to.equal('hnswlib-node')
    expect(rebuilt?.result.verified.recall).to.be.below(0.8)
    const {collections, problems} = await readPersistState(persistDir)
    expect(problems).to.deep.equal([])
    expect(collections.get(located.id)?.indexed.size).to.equal(3020)
  })

  it('is taken as it is where the reference library is not installed', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'odd-name_1')
    await appendManyAdds(persistDir, located.topic, 3000, 8)
    const changes = {constructionEf: 2, m: 2}
    const rebuilt = await withEnvironment({NODE_OPTIONS: `--require ${without('hnswlib-node')}`}, () =>
      withWriteAccess(persistDir, {}, (dir) => rebuildIndex(dir, located, {backup: false, changes})),
    )
    expect(rebuilt?.result.engine).to.equal('usearch')
    expect(rebuilt?.result.verified.recall).to.be.below(0.8)
    const {collections, problems} = await readPersistState(persistDir)
    expect(problems).to.deep.equal([])
    expect(collections.get(located.id)?.indexed.size).to.equal(3020)
  })

  it('is not what vectors lead to that half the precision cannot tell apart: all of it is used', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'odd-name_1')
    const offset = Array.from({length: 1000}, (_, i) => ({
      id: `far-${i}`,
      operation: 0,
      vector: Float32Array.from({length: 8}, (_unused, j) => 1000 + Math.sin(i * (j + 3))),
    }))
    await appendLog(persistDir, located.topic, offset)
    const changes = {space: 'l2'} as const
    const rebuilt = await withWriteAccess(persistDir, {}, (dir) =>
      rebuildIndex(dir, located, {backup: false, changes}),
    )
    expect(rebuilt?.result.engine).to.equal('usearch')
    expect(rebuilt?.result.verified.recall).to.be.above(0.95)
  })
})
