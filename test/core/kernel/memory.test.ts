import {expect} from 'chai'

import {Arena, fitsMemory, kernelMemory, KernelMemoryError} from '../../../core/src/hnsw/kernel/memory.js'

describe('arrays in the memory of the kernel', () => {
  it('lie behind what is there, one behind the other, and hold zeros', () => {
    const memory = kernelMemory(100)
    new Uint8Array(memory.buffer).fill(7, 0, 100)
    const arena = new Arena(memory, 100)
    const [bytes, words] = [arena.allocate(Uint8Array, 3), arena.allocate(Uint32Array, 2)]
    expect(bytes.byteOffset).to.be.at.least(100)
    expect(words.byteOffset).to.be.at.least(bytes.byteOffset + 3)
    expect(words.byteOffset % 4).to.equal(0)
    expect([...bytes, ...words]).to.deep.equal([0, 0, 0, 0, 0])
    bytes.fill(1)
    expect([...words]).to.deep.equal([0, 0])
  })

  it('make it grow, and those before stay what they are', () => {
    const memory = kernelMemory(10)
    const arena = new Arena(memory, 10)
    const first = arena.copy(Uint16Array.of(1, 2, 3))
    const large = arena.copy(new Uint32Array(200_000).fill(5))
    first[0] = 9
    expect(memory.buffer.byteLength).to.be.at.least(large.byteOffset + large.byteLength)
    expect([...new Uint16Array(memory.buffer, first.byteOffset, 3)]).to.deep.equal([9, 2, 3])
    expect(large.every((value) => value === 5)).to.equal(true)
  })

  it('are refused when 32 bits do not address them', () => {
    const arena = new Arena(kernelMemory(10), 10)
    expect(() => arena.allocate(Uint8Array, 2 ** 32)).to.throw(KernelMemoryError)
    expect(fitsMemory(2 ** 32)).to.equal(false)
    expect([...arena.copy(Uint8Array.of(4))]).to.deep.equal([4])
  })
})
