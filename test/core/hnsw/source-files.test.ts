import {expect} from 'chai'
import {appendFileSync} from 'node:fs'
import {join} from 'node:path'

import {damaged, notFound} from '../../../core/src/errors.js'
import {readSettled} from '../../../core/src/hnsw/source-files.js'
import {copyOfCosineSegment, failure} from './segment-folders.js'

/** Reads that find damage in the first `times`, in which another process writes or not. */
function reading(folder: string, {times, writes}: {times: number; writes: number}) {
  let reads = 0
  const read = async (): Promise<number> => {
    reads += 1
    if (reads <= writes) appendFileSync(join(folder, 'length.bin'), 'more')
    if (reads <= times) throw damaged('header.bin is too short.')
    return reads
  }

  return {read, reads: () => reads}
}

describe('reading index files that another process may write', () => {
  it('reads them again when they were written to, and looked damaged', async () => {
    const folder = copyOfCosineSegment()
    const {read} = reading(folder, {times: 2, writes: 2})
    expect(await readSettled(folder, read)).to.equal(3)
  })

  it('reports at once the damage of files that stay as they are', async () => {
    const folder = copyOfCosineSegment()
    const {read, reads} = reading(folder, {times: 5, writes: 0})
    expect((await failure(readSettled(folder, read))).message).to.equal('header.bin is too short.')
    expect(reads()).to.equal(1)
  })

  it('calls the directory in use when they do not come to rest', async () => {
    const folder = copyOfCosineSegment()
    const {read} = reading(folder, {times: 99, writes: 99})
    expect((await failure(readSettled(folder, read))).kind).to.equal('in-use')
  })

  it('passes on what is no damage', async () => {
    const read = async () => {
      throw notFound('There is no such folder.')
    }

    expect((await failure(readSettled(copyOfCosineSegment(), read))).kind).to.equal('not-found')
  })
})
