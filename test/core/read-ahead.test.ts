import {expect} from 'chai'
import {setTimeout as sleep} from 'node:timers/promises'

import {readAhead} from '../../core/src/change/read-ahead.js'

/** Two and a half chunks, of bytes that differ from chunk to chunk. */
const content = Buffer.alloc(
  10_000_000,
  Uint8Array.from({length: 251}, (_, i) => i),
)

/** Reads of `content`, of as many bytes at a time as are given, and how many are under way. */
function readsOf(atOnce = Number.MAX_SAFE_INTEGER) {
  const reads = {
    begun: 0,
    async read(buffer: Buffer, position: number): Promise<number> {
      reads.begun += 1
      reads.underWay += 1
      await sleep(1)
      reads.underWay -= 1
      return content.copy(buffer, 0, position, position + Math.min(atOnce, buffer.length))
    },
    underWay: 0,
  }
  return reads
}

async function taken(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const copies: Buffer[] = []
  for await (const chunk of chunks) copies.push(Buffer.from(chunk))
  return Buffer.concat(copies)
}

describe('reading ahead', () => {
  it('gives as many bytes as are wanted, also where a read brings fewer than it could', async () => {
    expect((await taken(readAhead(readsOf().read, content.length))).equals(content)).to.equal(true)
    expect((await taken(readAhead(readsOf(3_999_999).read, content.length))).equals(content)).to.equal(true)
    expect(await taken(readAhead(readsOf().read, 10))).to.deep.equal(content.subarray(0, 10))
    expect(await taken(readAhead(readsOf().read, 0))).to.have.length(0)
  })

  it('ends with the file', async () => {
    expect((await taken(readAhead(readsOf().read, 2 * content.length))).equals(content)).to.equal(true)
  })

  it('reads the next chunk while one is taken, and leaves nothing under way', async () => {
    const reads = readsOf()
    const chunks = readAhead(reads.read, content.length)
    const {value: chunk} = (await chunks.next()) as IteratorYieldResult<Buffer>
    expect([reads.begun, reads.underWay]).to.deep.equal([2, 1])
    await sleep(5)
    expect(chunk.equals(content.subarray(0, chunk.length))).to.equal(true)
    await chunks.next()
    expect([reads.begun, reads.underWay]).to.deep.equal([3, 1])
    await chunks.return(null)
    expect([reads.begun, reads.underWay]).to.deep.equal([3, 0])
  })

  it('fails where a read fails, after the chunks before', async () => {
    let chunks = 0
    let message = ''
    const reads = readsOf()
    const read = async (buffer: Buffer, position: number): Promise<number> => {
      if (position > 0) throw new Error('EIO')
      return reads.read(buffer, position)
    }

    try {
      for await (const chunk of readAhead(read, content.length)) chunks += chunk.length > 0 ? 1 : 0
    } catch (error) {
      message = (error as Error).message
    }

    expect([chunks, message]).to.deep.equal([1, 'EIO'])
  })
})
