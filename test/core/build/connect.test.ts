import {expect} from 'chai'
import {connectUnreachable} from '../../../core/src/hnsw/build/connect.js'
import {checkIndexFiles} from '../../../core/src/hnsw/check.js'
import {measureGraph} from '../../../core/src/hnsw/graph-report.js'
import {loadGraph} from '../../../core/src/hnsw/graph.js'
import {damage} from '../hnsw/segment-folders.js'
import {build, elements} from './vectors.js'

describe('connecting unreachable elements', () => {
  it('gives a link to elements that lost every one, and to live ones only', async () => {
    const {folder, header} = await build({elements: elements(200, 6, 'l2'), space: 'l2'}, 'hnswlib-node')
    const lost = new Set([50, 51, 120])
    damage(folder, 'data_level0.bin', (bytes) => {
      for (let id = 0; id < 200; id++) {
        const at = id * header.sizeDataPerElement
        const links = Array.from({length: bytes.readUInt16LE(at)}, (_, i) =>
          bytes.readUInt32LE(at + 4 + 4 * i),
        )
        const kept = links.filter((target) => !lost.has(target))
        bytes.writeUInt16LE(kept.length, at)
        for (const [i, target] of kept.entries()) bytes.writeUInt32LE(target, at + 4 + 4 * i)
      }

      bytes[120 * header.sizeDataPerElement + 2] = 1
    })
    const before = await measureGraph(await loadGraph(folder, header))
    expect(before).to.include({live: 199, liveWithoutInboundLink: 2, unreachable: 2})

    expect(await connectUnreachable(folder, await loadGraph(folder, header))).to.equal(2)
    const graph = await loadGraph(folder, header)
    expect(await measureGraph(graph)).to.include({live: 199, liveWithoutInboundLink: 0, unreachable: 0})
    expect(graph.deleted[120]).to.equal(1)
    expect(await checkIndexFiles(folder, {cosine: false})).to.deep.equal([])
    expect(await connectUnreachable(folder, graph)).to.equal(0)
  })
})
