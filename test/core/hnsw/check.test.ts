import {expect} from 'chai'
import fc from 'fast-check'
import {readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {ChopsError} from '../../../core/src/errors.js'
import {normalizeVectors} from '../../../core/src/hnsw/build/elements.js'
import {checkIndexFiles} from '../../../core/src/hnsw/check.js'
import {loadGraph} from '../../../core/src/hnsw/graph.js'
import {measureGraph} from '../../../core/src/hnsw/graph-report.js'
import {inspectHeader, readHeader} from '../../../core/src/hnsw/header.js'
import {HNSW_FILES, type HnswFile} from '../../../core/src/hnsw/problems.js'
import {FIXTURES} from '../../support/fixtures.js'
import {copyOfCosineSegment, damage, rules, segmentFolders, writeLargeSegment} from './segment-folders.js'
import {readElements} from '../../support/elements.js'

const ROW = 108
const LABEL = 100
const VECTOR = 68

/** Bytes that repeat from run to run (mulberry32). */
function noise(length: number, seed: number): Buffer {
  let state = seed
  return Buffer.from(
    Array.from({length}, () => {
      state = (state + 0x6d_2b_79_f5) >>> 0
      let t = Math.imul(state ^ (state >>> 15), 1 | state)
      t ^= t + Math.imul(t ^ (t >>> 7), 61 | t)
      return (t ^ (t >>> 14)) & 0xff
    }),
  )
}

/** Changes one row of `data_level0.bin`. */
function row(id: number, change: (bytes: Buffer) => unknown): (bytes: Buffer) => void {
  return (bytes) => {
    change(bytes.subarray(id * ROW, (id + 1) * ROW))
  }
}

async function brokenRules(folder: string): Promise<string[]> {
  return rules(await checkIndexFiles(folder, {cosine: true}))
}

describe('check of the HNSW files', () => {
  for (const name of FIXTURES) {
    it(`finds nothing in the segments of ${name}, never persisted ones included`, async () => {
      for (const folder of segmentFolders(name)) {
        const {M} = await readHeader(folder)
        // In the fixtures the indexes with M 8 are the cosine ones.
        expect(await checkIndexFiles(folder, {cosine: M === 8})).to.deep.equal([])
      }
    })
  }

  it('finds nothing in an index of several chunks', async () => {
    const {folder} = writeLargeSegment(200_000)
    expect(await checkIndexFiles(folder, {cosine: false})).to.deep.equal([])
  })

  const truncations: [file: HnswFile, rule: string][] = [
    ['header.bin', 'H4'],
    ['data_level0.bin', 'H5'],
    ['length.bin', 'H5'],
    ['link_lists.bin', 'H9'],
  ]
  for (const [file, rule] of truncations) {
    it(`finds ${file} truncated anywhere (${rule})`, async () => {
      const folder = copyOfCosineSegment()
      const whole = readFileSync(join(folder, file))
      for (const length of [0, 1, Math.floor(whole.length / 2), whole.length - 1]) {
        writeFileSync(join(folder, file), whole.subarray(0, length))
        expect(await brokenRules(folder), `${length} bytes`).to.deep.equal([`${file} ${rule}`])
      }
    })

    it(`finds ${file} missing (H3)`, async () => {
      const folder = copyOfCosineSegment()
      rmSync(join(folder, file))
      expect(await brokenRules(folder)).to.deep.equal([`${file} H3`])
    })
  }

  const noises: [file: HnswFile, rules: string[]][] = [
    ['header.bin', ['header.bin H4']],
    // Random labels do not repeat, so H12 holds even here.
    ['data_level0.bin', ['data_level0.bin H10', 'data_level0.bin H16']],
    ['length.bin', ['data_level0.bin H16', 'length.bin H16']],
    ['link_lists.bin', ['link_lists.bin H9']],
  ]
  for (const [file, expected] of noises) {
    it(`finds noise in ${file}`, async () => {
      const folder = copyOfCosineSegment()
      damage(folder, file, (bytes) => noise(bytes.length, 4711))
      const problems = await checkIndexFiles(folder, {cosine: true})
      const found = rules(problems)
      expect(found.filter((rule) => rule.startsWith(file))).to.deep.equal(
        expected.filter((rule) => rule.startsWith(file)),
      )
      expect(expected).to.include.members(found)
      expect(problems, 'one sentence for each kind of damage, not one for each row').to.have.length.below(10)
    })
  }

  const rowDamages: [what: string, rule: string, change: (bytes: Buffer) => void, sentence: RegExp][] = [
    ['more links than fit', 'H10', row(7, (r) => r.writeUInt16LE(17, 0)), /1 list .+ element 7 with 17/],
    [
      'a link out of the index',
      'H10',
      row(7, (r) => r.writeUInt32LE(300, 4)),
      /1 link out .+ element 7 to 300/,
    ],
    ['a link to -1', 'H10', row(7, (r) => r.writeUInt32LE(0xff_ff_ff_ff, 4)), /from element 7 to 4294967295/],
    [
      'a link to itself',
      'H10',
      row(7, (r) => r.writeUInt32LE(7, 4)),
      /1 link from an element to itself.+ 7$/,
    ],
    [
      'a link twice',
      'H10',
      row(7, (r) => r.writeUInt32LE(r.readUInt32LE(4), 8)),
      /1 link twice .+ element 7 to/,
    ],
    ['a label twice', 'H12', row(7, (r) => r.writeBigUInt64LE(5n, LABEL)), /1 element .+ label 5$/],
    [
      'NaN in a vector',
      'H16',
      row(7, (r) => r.writeFloatLE(Number.NaN, VECTOR + 28)),
      /1 vector with NaN.+ 7 /,
    ],
    [
      'infinity in a vector',
      'H16',
      row(7, (r) => r.writeFloatLE(-Infinity, VECTOR)),
      /1 vector with NaN.+ 7 /,
    ],
    [
      'a vector of another length',
      'H16',
      row(7, (r) => r.writeFloatLE(5, VECTOR)),
      /1 vector of another length/,
    ],
  ]
  for (const [what, rule, change, sentence] of rowDamages) {
    it(`finds ${what} (${rule})`, async () => {
      const folder = copyOfCosineSegment()
      damage(folder, 'data_level0.bin', change)
      const problems = await checkIndexFiles(folder, {cosine: true})
      expect(rules(problems)).to.deep.equal([`data_level0.bin ${rule}`])
      expect(problems).to.have.length(1)
      expect(problems[0]?.what).to.match(sentence)
    })
  }

  it('finds norms that no vector has in a cosine index, and ignores length.bin in others', async () => {
    const folder = copyOfCosineSegment()
    damage(folder, 'length.bin', (bytes) => {
      bytes.writeFloatLE(-1, 40)
    })
    expect(await brokenRules(folder)).to.deep.equal(['length.bin H16'])
    expect(await checkIndexFiles(folder, {cosine: false})).to.deep.equal([])
  })

  it('finds norms of 0 for vectors that are not zero', async () => {
    const folder = copyOfCosineSegment()
    damage(folder, 'length.bin', (bytes) => {
      bytes.fill(0, 0, 40)
    })
    expect(await checkIndexFiles(folder, {cosine: true})).to.deep.equal([
      {
        file: 'length.bin',
        id: 'H16',
        what: 'has 10 norms of 0 for vectors that are not zero: first element 0 (label 190)',
      },
    ])
    expect(await checkIndexFiles(folder, {cosine: false})).to.deep.equal([])
  })

  it('accepts what engines store for vectors so short that f32 has no square of them', async () => {
    const folder = copyOfCosineSegment()
    const short = [3e-23, 1e-24, 1.7e-30, 1e-38, 1e-42].map((norm) =>
      Float32Array.from({length: 8}, () => norm / Math.sqrt(8)),
    )
    for (const [i, vector] of short.entries()) {
      const [norm = 0] = normalizeVectors(vector, 8)
      damage(folder, 'length.bin', (bytes) => {
        bytes.writeFloatLE(norm, i * 4)
      })
      damage(
        folder,
        'data_level0.bin',
        row(i, (r) => Buffer.from(vector.buffer).copy(r, VECTOR)),
      )
    }

    expect(await brokenRules(folder)).to.deep.equal([])
  })

  it('accepts a zero vector in a cosine index', async () => {
    const folder = copyOfCosineSegment()
    damage(
      folder,
      'data_level0.bin',
      row(7, (r) => r.fill(0, VECTOR, LABEL)),
    )
    damage(folder, 'length.bin', (bytes) => {
      bytes.writeFloatLE(0, 28)
    })
    expect(await brokenRules(folder)).to.deep.equal([])
  })

  it('lists what is wrong in every file at once', async () => {
    const folder = copyOfCosineSegment()
    damage(folder, 'header.bin', (bytes) => {
      bytes.writeUInt32LE(300, 56)
    })
    damage(
      folder,
      'data_level0.bin',
      row(7, (r) => r.writeUInt32LE(7, 4)),
    )
    damage(folder, 'link_lists.bin', (bytes) => bytes.subarray(0, -4))
    rmSync(join(folder, 'length.bin'))
    expect(await brokenRules(folder)).to.deep.equal([
      'data_level0.bin H10',
      'header.bin H11',
      'length.bin H3',
      'link_lists.bin H9',
    ])
  })

  it('is not led into a sparse file that claims terabytes', async () => {
    const folder = copyOfCosineSegment()
    truncateSync(join(folder, 'link_lists.bin'), 2 ** 40)
    truncateSync(join(folder, 'data_level0.bin'), 2 ** 40)
    expect(await brokenRules(folder)).to.deep.equal(['link_lists.bin H9'])
  })

  it('stops at an abort', async () => {
    const {folder} = writeLargeSegment(100_000)
    const signal = AbortSignal.abort(new Error('enough'))
    let reason: unknown
    await checkIndexFiles(folder, {cosine: false, signal}).catch((error: unknown) => {
      reason = error
    })
    expect(reason).to.have.property('message', 'enough')
  })

  it('never fails in any way but its own, whatever bytes are changed', async () => {
    const folder = copyOfCosineSegment()
    const files = HNSW_FILES.map((file) => ({bytes: readFileSync(join(folder, file)), file}))
    const flip = fc.record({
      file: fc.nat(3),
      value: fc.nat(255),
      where: fc.double({max: 1, maxExcluded: true, min: 0, noNaN: true}),
    })
    const read = async () => {
      await checkIndexFiles(folder, {cosine: true})
      const {header} = await inspectHeader(folder)
      if (!header) return
      await readElements(folder, header, 'l2')
      await measureGraph(await loadGraph(folder, header))
    }

    await fc.assert(
      fc.asyncProperty(fc.array(flip, {maxLength: 12, minLength: 1}), async (flips) => {
        for (const [index, {bytes, file}] of files.entries()) {
          const changed = Buffer.from(bytes)
          for (const {value, where} of flips.filter((one) => one.file === index)) {
            changed[Math.floor(where * bytes.length)] = value
          }

          writeFileSync(join(folder, file), changed)
        }

        try {
          await read()
        } catch (error) {
          if (!(error instanceof ChopsError)) throw error
          expect(error.kind).to.equal('damaged')
        }
      }),
      {numRuns: 80, seed: 20_240_601},
    )
  })
})
