import {expect} from 'chai'

import {readHeader} from '../../../core/src/hnsw/header.js'
import {normProblems, readNorms} from '../../../core/src/hnsw/length.js'
import {copyOfCosineSegment, damage, failure, writeLargeSegment} from './segment-folders.js'

describe('length.bin', () => {
  it('gives a norm for each element and no more, whatever follows', async () => {
    const folder = copyOfCosineSegment()
    const header = await readHeader(folder)
    damage(folder, 'length.bin', (bytes) => {
      bytes.writeFloatLE(2.5, 0)
      bytes.writeFloatLE(0.125, 4 * 299)
      return Buffer.concat([bytes, Buffer.from('noise after the last element')])
    })
    const norms = await readNorms(folder, header)
    expect(norms).to.have.length(300)
    expect([norms[0], norms[299]]).to.deep.equal([2.5, 0.125])
  })

  it('is read in several chunks when it is large', async () => {
    const {folder, header} = writeLargeSegment(600_000)
    damage(folder, 'length.bin', (bytes) => {
      bytes.writeFloatLE(7, 4 * 599_999)
    })
    const done: number[] = []
    const norms = await readNorms(folder, header, {onProgress: (bytes) => done.push(bytes)})
    expect(norms.at(-1)).to.equal(7)
    expect(done).to.deep.equal([2 * 1024 * 1024, 2_400_000])
  })

  it('that is shorter than its elements need is refused before memory is set aside', async () => {
    const folder = copyOfCosineSegment()
    const header = {...(await readHeader(folder)), curElementCount: 2 ** 31 - 1}
    expect((await failure(readNorms(folder, header))).message).to.contain('length.bin is 1200 bytes long')
  })

  it('may hold 0, the norm of a zero vector, but nothing negative, infinite or NaN', () => {
    expect(normProblems(Float32Array.of(0, 1, 3e38))).to.deep.equal([])
    const [problem, ...others] = normProblems(Float32Array.of(1, -1, Infinity, Number.NaN))
    expect(others).to.deep.equal([])
    expect(problem).to.deep.equal({
      file: 'length.bin',
      id: 'H16',
      what: 'has 3 norms that no vector can have: first -1 for element 1',
    })
  })
})
