import {expect} from 'chai'

import {loadGraph} from '../../../core/src/hnsw/graph.js'
import {NONE} from '../../../core/src/hnsw/repair/job.js'
import {worseThanBefore} from '../../../core/src/reindex/write-rebuilt.js'
import {build, elements as randomElements} from '../build/vectors.js'
import {readElements} from '../../support/elements.js'

describe('a repaired graph beside the old one', () => {
  it('is not good enough when it finds less than the old one found without the elements that are gone', async () => {
    const {folder, header} = await build(
      {elements: randomElements(400, 8, 'l2'), space: 'l2'},
      'hnswlib-node',
    )
    const stored = await readElements(folder, header, 'l2')
    const {dimension, labels, vectors} = stored
    const oldIds = Uint32Array.from(labels.keys()).filter((id) => id % 4 !== 0)
    const kept = {
      dimension,
      labels: Float64Array.from(oldIds.keys(), (i) => i + 1),
      oldIds,
      vectors: new Float32Array(oldIds.length * dimension),
    }
    for (const [to, from] of oldIds.entries())
      kept.vectors.set(vectors.subarray(from * dimension, (from + 1) * dimension), to * dimension)
    const compared = async (recall: number) => {
      const old = await loadGraph(folder, header)
      return worseThanBefore(folder, old, kept, {recall, sampleSize: 100}, {space: 'l2'})
    }

    expect(await compared(0.9)).to.match(
      /^a repaired graph would find 0\.900 .*, and the old one (1\.000|0\.99\d)$/,
    )
    expect(await compared(0.995)).to.equal(undefined)
    expect(await compared(0.5)).to.equal('a repaired graph would find 0.500 of the nearest on a sample')
  })

  it('is held only against what goes on: elements that come anew are not in the old one', async () => {
    const {folder, header} = await build(
      {elements: randomElements(200, 8, 'l2'), space: 'l2'},
      'hnswlib-node',
    )
    const stored = await readElements(folder, header, 'l2')
    const oldIds = Uint32Array.from(stored.labels.keys(), (id) => (id < 100 ? id : NONE))
    const old = await loadGraph(folder, header)
    await worseThanBefore(folder, old, {...stored, oldIds}, {recall: 0.9, sampleSize: 100}, {space: 'l2'})
    expect([...old.deleted].map((mark, id) => (mark === 0 ? id : -1)).filter((id) => id >= 0)).to.deep.equal(
      [...oldIds].filter((id) => id !== NONE),
    )
  })
})
