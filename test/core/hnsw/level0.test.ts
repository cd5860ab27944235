import {expect} from 'chai'
import {join} from 'node:path'

import {type HnswHeader, readHeader} from '../../../core/src/hnsw/header.js'
import {readIndexMetadata} from '../../../core/src/hnsw/index-metadata.js'
import {readNorms} from '../../../core/src/hnsw/length.js'
import {level0Chunks} from '../../../core/src/hnsw/level0.js'
import {type FixtureName, FIXTURES} from '../../support/fixtures.js'
import {
  copyOfCosineSegment,
  damage,
  failure,
  segmentFolders,
  sharedFixture,
  writeLargeSegment,
} from './segment-folders.js'
import {countElements, readElements, readLiveLabels} from '../../support/elements.js'

/** Live + deleted elements of each index that was persisted, as `index_metadata.pickle` of the fixture has them too. */
const COUNTS: Record<FixtureName, string[]> = {
  'chroma-0.4.24': ['100+0', '100+0', '300+0'],
  'chroma-0.4.24-then-1.5.9': ['100+0', '103+0', '225+101'],
  'chroma-0.5.5': ['100+0', '100+0', '300+0'],
  'chroma-0.5.5-then-1.0.16': ['100+0', '103+0', '225+101'],
  'chroma-0.5.23': ['100+0', '100+0', '100+0', '200+100'],
  'chroma-0.6.3': ['100+0', '100+0', '100+0', '200+100'],
  'chroma-0.6.3-then-1.5.9': ['100+0', '100+0', '100+0', '200+100'],
  'chroma-1.0.16': ['100+0', '100+0', '103+0', '200+100'],
  'chroma-1.5.9': ['100+0', '100+0', '103+0', '200+100'],
}

async function persisted(name: FixtureName): Promise<{folder: string; header: HnswHeader}[]> {
  const all = await Promise.all(
    segmentFolders(name).map(async (folder) => ({folder, header: await readHeader(folder)})),
  )
  return all.filter(({header}) => header.curElementCount > 0)
}

function base64(floats: ArrayLike<number>): string {
  return Buffer.from(Float32Array.from(floats).buffer).toString('base64')
}

describe('rows of data_level0.bin', () => {
  for (const name of FIXTURES) {
    it(`has as many live and deleted elements in ${name} as its index metadata says`, async () => {
      const counts: string[] = []
      for (const {folder, header} of await persisted(name)) {
        const metadata = await readIndexMetadata(join(folder, 'index_metadata.pickle'), {ids: false})
        const live = await readLiveLabels(folder, header)
        expect(live.filter((label) => !metadata.labels.has(label))).to.deep.equal([])
        expect(live).to.have.length(metadata.labelCount)
        counts.push(`${live.length}+${header.curElementCount - live.length}`)
      }

      expect(counts.sort()).to.deep.equal(COUNTS[name])
    })
  }

  it('counts nothing in an index that was never persisted', async () => {
    for (const folder of segmentFolders('chroma-0.4.24')) {
      const header = await readHeader(folder)
      if (header.curElementCount === 0) {
        expect(await countElements(folder, header)).to.deep.equal({deleted: 0, live: 0})
      }
    }
  })

  it('gives the vectors that Chroma returns: as stored in an l2 index, times their norm in a cosine index', async () => {
    const {expected} = sharedFixture('chroma-1.5.9')
    const returned = (database: string) =>
      expected.collections
        .find((collection) => collection.name === 'churned' && collection.database === database)
        ?.records.map((record) => record.embedding_b64)
        .sort()
    for (const {folder, header} of await persisted('chroma-1.5.9')) {
      const {live} = await countElements(folder, header)
      const {internalIds, vectors} = await readElements(folder, header, 'l2')
      expect(internalIds).to.have.length(live)
      const norms = await readNorms(folder, header)
      const rows = Array.from({length: live}, (_, i) => vectors.subarray(i * 8, i * 8 + 8))
      if (live === 103) expect(rows.map((row) => base64(row)).sort()).to.deep.equal(returned('prod'))
      if (live === 200) {
        const original = rows.map((row, i) =>
          base64(row.map((x) => x * (norms[internalIds[i] ?? -1] ?? Number.NaN))),
        )
        const known = new Set(returned('default_database'))
        // 20 log records of this collection were still pending, so as many vectors may be older than the answers.
        expect(original.filter((vector) => !known.has(vector))).to.have.length.within(1, 20)
      }
    }
  })

  describe('of an index larger than a chunk', () => {
    const elements = 200_000
    let large: ReturnType<typeof writeLargeSegment>

    before(() => {
      large = writeLargeSegment(elements)
    })

    it('are read in order, each once', async () => {
      let next = 0
      let chunks = 0
      for await (const chunk of level0Chunks(large.folder, large.header)) {
        expect(chunk.firstId).to.equal(next)
        for (let row = 0; row < chunk.count; row++) {
          if (chunk.label(row) !== next + 1 || chunk.words[chunk.linksAt(row)] !== (next + 1) % elements) {
            throw new Error(`row ${row} of the chunk at ${chunk.firstId} is not element ${next}`)
          }

          next += 1
        }

        chunks += 1
      }

      expect(next).to.equal(elements)
      expect(chunks).to.be.greaterThan(3)
    })

    it('give their live vectors in order', async () => {
      const counts = await countElements(large.folder, large.header)
      expect(counts).to.deep.equal({deleted: 66_667, live: 133_333})
      const {internalIds, labels, vectors} = await readElements(large.folder, large.header, 'l2')
      expect([...internalIds.subarray(0, 3), internalIds.at(-1)]).to.deep.equal([1, 2, 4, 199_999])
      expect([...labels.slice(0, 3), labels.at(-1)]).to.deep.equal([2, 3, 5, 200_000])
      expect([...vectors.subarray(0, 4), ...vectors.subarray(-2)]).to.deep.equal([
        1, -1, 2, -2, 199_999, -199_999,
      ])
    })

    it('report progress up to the last byte', async () => {
      const done: number[] = []
      const onProgress = (bytes: number, total: number) => {
        expect(total).to.equal(elements * 36)
        done.push(bytes)
      }

      await countElements(large.folder, large.header, {onProgress})
      expect(done).to.deep.equal([...done].sort((a, b) => a - b))
      expect(done.at(-1)).to.equal(elements * 36)
    })

    it('are no longer read after an abort', async () => {
      const controller = new AbortController()
      const seen: number[] = []
      let reason: unknown
      try {
        for await (const chunk of level0Chunks(large.folder, large.header, {signal: controller.signal})) {
          seen.push(chunk.firstId)
          controller.abort(new Error('enough'))
        }
      } catch (error) {
        reason = error
      }

      expect(seen).to.deep.equal([0])
      expect(reason).to.have.property('message', 'enough')
    })
  })

  it('names the file that ended while it was read', async () => {
    const folder = copyOfCosineSegment()
    const header = await readHeader(folder)
    damage(folder, 'data_level0.bin', (bytes) => bytes.subarray(0, 32_399))
    const error = await failure(countElements(folder, header))
    expect(error.kind).to.equal('damaged')
    expect(error.message).to.contain('data_level0.bin ends at 32399 bytes')
  })
})
