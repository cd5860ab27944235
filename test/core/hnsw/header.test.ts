import {expect} from 'chai'
import {execFileSync} from 'node:child_process'
import {mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {encodeHeader, inspectHeader, readHeader} from '../../../core/src/hnsw/header.js'
import {HNSW_FILES} from '../../../core/src/hnsw/problems.js'
import {FIXTURES} from '../../support/fixtures.js'
import {copyOfCosineSegment, damage, failure, rules, segmentFolders} from './segment-folders.js'

type Change = (bytes: Buffer) => void

function i32(at: number, value: number): Change {
  return (bytes) => {
    bytes.writeInt32LE(value, at)
  }
}

function u64(at: number, value: bigint | number): Change {
  return (bytes) => {
    bytes.writeBigUInt64LE(BigInt(value), at)
  }
}

function f64(at: number, value: number): Change {
  return (bytes) => {
    bytes.writeDoubleLE(value, at)
  }
}

describe('header of an HNSW index', () => {
  for (const name of FIXTURES) {
    it(`accepts every segment of ${name} and writes its header again byte by byte`, async () => {
      const folders = segmentFolders(name)
      expect(folders).to.have.length.greaterThan(5)
      for (const folder of folders) {
        const header = await readHeader(folder)
        expect(header.dimension).to.equal(8)
        expect(encodeHeader(header)).to.deep.equal(readFileSync(join(folder, 'header.bin')))
      }
    })
  }

  it('reads the fields of an index', async () => {
    expect(await readHeader(copyOfCosineSegment())).to.deep.equal({
      curElementCount: 300,
      dimension: 8,
      efConstruction: 80,
      enterpoint: 140,
      labelOffset: 100,
      M: 8,
      maxElements: 512,
      maxLevel: 3,
      maxM: 8,
      maxM0: 16,
      mult: 1 / Math.log(8),
      offsetData: 68,
      offsetLevel0: 0,
      persistenceVersion: 1,
      sizeDataPerElement: 108,
    })
  })

  it('accepts an index that was never persisted: no element, no entry point, an empty link_lists.bin', async () => {
    const headers = await Promise.all(segmentFolders('chroma-1.5.9').map((folder) => readHeader(folder)))
    const empty = headers.filter((header) => header.curElementCount === 0)
    expect(empty).to.have.length(3)
    for (const header of empty)
      expect(header).to.include({enterpoint: 0xff_ff_ff_ff, maxElements: 100, maxLevel: -1})
  })

  const changes: [what: string, rule: string, change: Change][] = [
    ['another persistence version', 'H4', i32(0, 2)],
    ['another offsetLevel0', 'H4', u64(4, 4)],
    ['fewer maxElements than elements', 'H5', u64(12, 299)],
    ['maxElements that no internal id can number', 'H4', u64(12, 2 ** 31)],
    ['maxElements beyond 2^53', 'H4', u64(12, 2n ** 53n)],
    ['more elements than maxElements', 'H5', u64(20, 513)],
    ['an element count beyond 2^53', 'H4', u64(20, 2n ** 64n - 1n)],
    ['a longer row', 'H4', u64(28, 112)],
    ['a row of no bytes', 'H4', u64(28, 0)],
    ['a moved label', 'H4', u64(36, 104)],
    ['a label before the vector', 'H4', u64(36, 64)],
    ['a vector in the links', 'H4', u64(44, 64)],
    ['a highest level below 0', 'H11', i32(52, -1)],
    ['a highest level that no element can have', 'H11', i32(52, 1000)],
    ['an entry point that is no element', 'H11', i32(56, 300)],
    ['no entry point', 'H11', i32(56, -1)],
    ['another maxM', 'H4', u64(60, 16)],
    ['another maxM0', 'H4', u64(68, 8)],
    ['another M', 'H4', u64(76, 16)],
    ['an M of 0', 'H4', u64(76, 0)],
    ['another mult', 'H4', f64(84, 0.48)],
    ['a mult that is not a number', 'H4', f64(84, Number.NaN)],
    ['an efConstruction below M', 'H4', u64(92, 7)],
  ]
  for (const [what, rule, change] of changes) {
    it(`refuses ${what} (${rule})`, async () => {
      const folder = copyOfCosineSegment()
      damage(folder, 'header.bin', change)
      expect(rules((await inspectHeader(folder)).problems)).to.deep.equal([`header.bin ${rule}`])
      const error = await failure(readHeader(folder))
      expect(error.kind).to.equal('damaged')
      expect(error.message).to.match(/header\.bin .+\.$/)
      expect(error.next).to.be.a('string')
    })
  }

  it('refuses a vector larger than memory should hold, although the fields agree', async () => {
    const folder = copyOfCosineSegment()
    damage(folder, 'header.bin', (bytes) => {
      u64(20, 0)(bytes)
      i32(52, -1)(bytes)
      i32(56, -1)(bytes)
      u64(36, 68 + 4 * 2 ** 40)(bytes)
      u64(28, 68 + 4 * 2 ** 40 + 8)(bytes)
    })
    expect(rules((await inspectHeader(folder)).problems)).to.deep.equal(['header.bin H4'])
  })

  it('refuses an entry point in an index without elements (H11)', async () => {
    const empty = segmentFolders('chroma-1.5.9').find(
      (folder) => readFileSync(join(folder, 'link_lists.bin')).length === 0,
    )
    const folder = copyOfCosineSegment()
    damage(folder, 'header.bin', () => readFileSync(join(empty ?? '', 'header.bin')))
    damage(folder, 'header.bin', i32(56, 0))
    expect(rules((await inspectHeader(folder)).problems)).to.deep.equal(['header.bin H11'])
  })

  it('still gives the header when only the entry point or another file is wrong, so that rows can be saved', async () => {
    const folder = copyOfCosineSegment()
    damage(folder, 'header.bin', i32(56, 300))
    rmSync(join(folder, 'link_lists.bin'))
    const {header, problems} = await inspectHeader(folder)
    expect(header?.curElementCount).to.equal(300)
    expect(rules(problems)).to.deep.equal(['header.bin H11', 'link_lists.bin H3'])
  })

  for (const length of [0, 1, 50, 99, 101]) {
    it(`refuses a header of ${length} bytes`, async () => {
      const folder = copyOfCosineSegment()
      damage(folder, 'header.bin', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]).subarray(0, length))
      expect(rules((await inspectHeader(folder)).problems)).to.deep.equal(['header.bin H4'])
    })
  }

  for (const file of HNSW_FILES) {
    it(`names ${file} when it is missing, a folder or a pipe, and does not wait for a writer`, async () => {
      const folder = copyOfCosineSegment()
      const path = join(folder, file)
      rmSync(path)
      expect((await failure(readHeader(folder))).message).to.equal(`${path} is missing.`)
      mkdirSync(path)
      expect(rules((await inspectHeader(folder)).problems)).to.deep.equal([`${file} H3`])
      rmSync(path, {recursive: true})
      if (process.platform === 'win32') return
      execFileSync('mkfifo', [path])
      expect(rules((await inspectHeader(folder)).problems)).to.deep.equal([`${file} H3`])
    })
  }

  for (const file of ['data_level0.bin', 'length.bin'] as const) {
    it(`refuses a ${file} that is a byte too short for its elements, and accepts a longer one`, async () => {
      const folder = copyOfCosineSegment()
      const whole = readFileSync(join(folder, file))
      writeFileSync(join(folder, file), whole.subarray(0, -1))
      expect(rules((await inspectHeader(folder)).problems)).to.deep.equal([`${file} H5`])
      expect((await failure(readHeader(folder))).message).to.contain(
        `${file} is ${whole.length - 1} bytes long`,
      )
      writeFileSync(join(folder, file), Buffer.concat([whole, Buffer.alloc(1000)]))
      expect((await inspectHeader(folder)).problems).to.deep.equal([])
    })
  }

  it('asks of length.bin no more than to be there, in an index without norms', async () => {
    const folder = copyOfCosineSegment()
    writeFileSync(join(folder, 'length.bin'), '')
    expect((await inspectHeader(folder, {cosine: false})).problems).to.deep.equal([])
    rmSync(join(folder, 'length.bin'))
    expect(rules((await inspectHeader(folder, {cosine: false})).problems)).to.deep.equal(['length.bin H3'])
  })

  it('does not set memory aside for elements that the files do not have', async () => {
    const folder = copyOfCosineSegment()
    damage(folder, 'header.bin', (bytes) => {
      u64(12, 2 ** 31 - 1)(bytes)
      u64(20, 2 ** 31 - 1)(bytes)
    })
    expect(rules((await inspectHeader(folder)).problems)).to.deep.equal([
      'data_level0.bin H5',
      'length.bin H5',
    ])
  })
})
