import {expect} from 'chai'
import {readdirSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {verifyIndex} from '../../../core/src/hnsw/build/verify-index.js'
import {checkIndexFiles} from '../../../core/src/hnsw/check.js'
import {measureGraph} from '../../../core/src/hnsw/graph-report.js'
import {loadGraph} from '../../../core/src/hnsw/graph.js'
import {readHeader} from '../../../core/src/hnsw/header.js'
import {HNSW_FILES} from '../../../core/src/hnsw/problems.js'
import {build, elements} from './vectors.js'

describe('building an index', () => {
  for (const engine of ['usearch', 'hnswlib-node'] as const) {
    for (const [space, dimension] of [
      ['cosine', 33],
      ['ip', 8],
      ['l2', 13],
    ] as const) {
      it(`writes a sound index of all elements for ${space} with ${engine}`, async () => {
        const given = elements(400, dimension, space)
        const {
          engine: used,
          folder,
          header,
        } = await build({elements: given, maxElements: 1000, space}, engine)
        expect(used).to.equal(engine)
        expect(await readHeader(folder)).to.deep.equal(header)
        expect(header).to.include({
          curElementCount: 400,
          dimension,
          efConstruction: 60,
          M: 8,
          maxElements: 1000,
        })
        expect(readdirSync(folder).sort()).to.deep.equal([...HNSW_FILES].sort())
        expect(statSync(join(folder, 'data_level0.bin')).size).to.equal(400 * header.sizeDataPerElement)
        expect(await checkIndexFiles(folder, {cosine: space === 'cosine'})).to.deep.equal([])
        const {recall} = await verifyIndex({elements: given, folder, space})
        expect(recall).to.be.above(0.95)
        const report = await measureGraph(await loadGraph(folder, header))
        expect(report.unreachable).to.equal(0)
        expect(report.levels.length).to.be.above(1)
      })
    }

    it(`writes an index of one element with ${engine}`, async () => {
      const given = elements(1, 3, 'cosine')
      const {folder, header} = await build({elements: given, space: 'cosine'}, engine)
      expect(header).to.include({curElementCount: 1, enterpoint: 0})
      expect(await verifyIndex({elements: given, folder, space: 'cosine'})).to.deep.equal({
        recall: 1,
        sampleSize: 1,
      })
    })

    it(`takes the smallest M, one dimension, equal vectors and zeros with ${engine}`, async () => {
      const given = elements(300, 1, 'l2')
      given.vectors.fill(0.5, 0, 100).fill(0, 100, 200)
      const {folder, header} = await build({efConstruction: 1, elements: given, M: 2, space: 'l2'}, engine)
      // hnswlib stores no ef_construction below M.
      expect(header).to.include({efConstruction: 2, M: 2})
      expect((await measureGraph(await loadGraph(folder, header))).unreachable).to.equal(0)
      await verifyIndex({elements: given, folder, space: 'l2'})
    })
  }

  it('writes an empty index without a library', async () => {
    const {engine, folder, header} = await build({
      elements: elements(0, 3, 'l2'),
      maxElements: 100,
      space: 'l2',
    })
    expect(engine).to.equal(undefined)
    expect(header).to.include({curElementCount: 0, maxElements: 100, maxLevel: -1})
    expect(await checkIndexFiles(folder, {cosine: false})).to.deep.equal([])
  })

  it('gives every element a path when many threads build a large M, and counts the elements up', async () => {
    const given = elements(5000, 4, 'l2')
    const steps: number[] = []
    const {folder, header} = await build(
      {
        elements: given,
        M: 60,
        onProgress: (done, total) => steps.push(done / total),
        space: 'l2',
        threads: 8,
      },
      'usearch',
    )
    expect((await measureGraph(await loadGraph(folder, header))).unreachable).to.equal(0)
    await verifyIndex({elements: given, folder, sample: 10, space: 'l2'})
    expect(steps.length).to.be.above(1)
    expect(steps).to.deep.equal([...steps].sort((a, b) => a - b))
    expect(steps.at(-1)).to.equal(1)
  })
})
