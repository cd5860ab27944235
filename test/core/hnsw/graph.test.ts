import {expect} from 'chai'

import {type HnswGraph, loadGraph} from '../../../core/src/hnsw/graph.js'
import {measureGraph} from '../../../core/src/hnsw/graph-report.js'
import {readHeader} from '../../../core/src/hnsw/header.js'
import {copyOfCosineSegment, damage, failure, segmentFolders, writeLargeSegment} from './segment-folders.js'

/** A graph of one level: each entry is what that element links to. */
function graphOf(lists: number[][], deleted: number[] = []): HnswGraph {
  const elements = lists.length
  return {
    deleted: Uint8Array.from(lists.keys(), (id) => (deleted.includes(id) ? 1 : 0)),
    header: {
      curElementCount: elements,
      dimension: 1,
      efConstruction: 100,
      enterpoint: 0,
      labelOffset: 24,
      M: 2,
      maxElements: elements,
      maxLevel: 0,
      maxM: 2,
      maxM0: 4,
      mult: 1 / Math.log(2),
      offsetData: 20,
      offsetLevel0: 0,
      persistenceVersion: 1,
      sizeDataPerElement: 32,
    },
    level0Counts: Uint16Array.from(lists, (list) => list.length),
    level0Links: Uint32Array.from(lists.flatMap((list) => [...list, 0, 0, 0, 0].slice(0, 4))),
    levels: new Uint8Array(elements),
    upperLists: new Uint32Array(),
    upperStart: new Uint32Array(elements),
  }
}

describe('graph of an HNSW index', () => {
  it('counts what a search can reach, through deleted elements too', async () => {
    // 0 -> 1 (deleted) -> 2; 3 and 4 only know each other.
    const report = await measureGraph(graphOf([[1], [2], [], [4], [3, 0]], [1, 4]))
    expect(report).to.deep.equal({
      degree: {histogram: [1, 3, 1, 0, 0], max: 2, mean: 1, min: 0},
      levels: [5],
      live: 3,
      liveWithoutInboundLink: 0,
      reachable: 2,
      unreachable: 1,
    })
  })

  it('names live elements that no link leads to', async () => {
    const report = await measureGraph(graphOf([[1], [0], [0], [0]], [3]))
    expect(report).to.include({live: 3, liveWithoutInboundLink: 1, reachable: 2, unreachable: 1})
  })

  it('enters level 0 from every element that the levels above lead to, but never goes up again', async () => {
    const graph = graphOf([[], [], [3], [], []])
    // Level 1 holds 0 -> 2 and 3 -> 4; level 0 reaches 3 from 2, but from there only level 1 would lead on to 4.
    graph.header.maxLevel = 1
    graph.levels.set([1, 0, 1, 1, 1])
    graph.upperStart.set([0, 1, 1, 2, 3])
    graph.upperLists = Uint32Array.of(1, 2, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0)
    const report = await measureGraph(graph)
    expect(report.levels).to.deep.equal([1, 4])
    expect(report).to.include({live: 5, reachable: 3, unreachable: 2})
  })

  it('measures the indexes that Chroma wrote: everything is reachable', async () => {
    for (const folder of segmentFolders('chroma-1.5.9')) {
      const header = await readHeader(folder)
      const report = await measureGraph(await loadGraph(folder, header))
      expect(report.unreachable).to.equal(0)
      expect(report.degree.histogram).to.have.length(header.maxM0 + 1)
      expect(report.degree.histogram.reduce((sum, elements) => sum + elements, 0)).to.equal(
        header.curElementCount,
      )
      expect(report.levels).to.have.length(header.maxLevel + 1)
      if (header.M !== 8) continue
      expect(report).to.deep.include({levels: [265, 28, 6, 1], live: 200, reachable: 200})
      expect(report.degree).to.include({max: 16, min: 5})
      expect(report.degree.mean).to.be.closeTo(10.22, 0.01)
    }
  })

  it('measures an index of several chunks', async () => {
    const {folder, header} = writeLargeSegment(200_000)
    const report = await measureGraph(await loadGraph(folder, header))
    expect(report).to.deep.equal({
      degree: {histogram: [0, 0, 200_000, 0, 0], max: 2, mean: 2, min: 2},
      levels: [199_999, 1],
      live: 133_333,
      liveWithoutInboundLink: 0,
      reachable: 133_333,
      unreachable: 0,
    })
  })

  it('is not loaded when a link leads out of it', async () => {
    const folder = copyOfCosineSegment()
    damage(folder, 'data_level0.bin', (bytes) => {
      bytes.writeUInt32LE(300, 4)
    })
    const error = await failure(loadGraph(folder, await readHeader(folder)))
    expect(error.kind).to.equal('damaged')
    expect(error.message).to.contain('data_level0.bin has 1 link out of the index of 300 elements')
    expect(error.next).to.contain('hnsw rebuild')
  })

  it('is loaded from a link_lists.bin that has run away, of which the check tells', async () => {
    const folder = copyOfCosineSegment()
    damage(folder, 'link_lists.bin', (bytes) => Buffer.concat([bytes, Buffer.alloc(4096)]))
    const report = await measureGraph(await loadGraph(folder, await readHeader(folder)))
    expect(report.reachable).to.equal(200)
  })
})
