import {cpSync, existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import type {HnswFile, HnswProblem} from '../../../core/src/hnsw/problems.js'

import {ChopsError} from '../../../core/src/errors.js'
import {encodeHeader, type HnswHeader} from '../../../core/src/hnsw/header.js'
import {type FixtureName, temporaryFolder, unpackFixture} from '../../support/fixtures.js'

const unpacked = new Map<FixtureName, ReturnType<typeof unpackFixture>>()

/** A fixture, unpacked once for all tests that only read it. */
export function sharedFixture(name: FixtureName): ReturnType<typeof unpackFixture> {
  const fixture = unpacked.get(name) ?? unpackFixture(name)
  unpacked.set(name, fixture)
  return fixture
}

/** The segment folders of a fixture that have HNSW files. */
export function segmentFolders(name: FixtureName): string[] {
  const {persistDir} = sharedFixture(name)
  return readdirSync(persistDir)
    .map((entry) => join(persistDir, entry))
    .filter((folder) => existsSync(join(folder, 'header.bin')))
    .sort()
}

/**
 * A fresh copy of the cosine index of Chroma 1.5.9: 300 elements of 8 dimensions, 100 of them deleted, M 8, levels 0 to 3.
 * No file of it is longer than its elements need.
 */
export function copyOfCosineSegment(): string {
  const source = segmentFolders('chroma-1.5.9').find(
    (folder) => readFileSync(join(folder, 'header.bin'))[76] === 8,
  )
  if (source === undefined) throw new Error('the fixture has no index with M 8')
  const folder = temporaryFolder()
  cpSync(source, folder, {recursive: true})
  return folder
}

/** Rewrites a file of a segment; `change` edits the bytes or returns others. */
export function damage(folder: string, file: HnswFile, change: (bytes: Buffer) => Buffer | void): void {
  const bytes = readFileSync(join(folder, file))
  writeFileSync(join(folder, file), change(bytes) ?? bytes)
}

/** The ChopsError that a promise fails with; any other outcome is a failure of the test. */
export async function failure(promise: Promise<unknown>): Promise<ChopsError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof ChopsError) return error
    throw error
  }

  throw new Error('it did not fail')
}

/** Which rules are broken in which file, each once and sorted. */
export function rules(problems: HnswProblem[]): string[] {
  return [...new Set(problems.map(({file, id}) => `${file} ${id}`))].sort()
}

/**
 * Writes a segment of many small rows, large enough that it is read in several chunks: 2 dimensions, M 2, every third element
 * deleted, label = internal id + 1, vector = [id, -id], links to the next and the previous element.
 */
export function writeLargeSegment(elements: number): {folder: string; header: HnswHeader} {
  const header: HnswHeader = {
    curElementCount: elements,
    dimension: 2,
    efConstruction: 100,
    enterpoint: 0,
    labelOffset: 28,
    M: 2,
    maxElements: elements,
    maxLevel: 1,
    maxM: 2,
    maxM0: 4,
    mult: 1 / Math.log(2),
    offsetData: 20,
    offsetLevel0: 0,
    persistenceVersion: 1,
    sizeDataPerElement: 36,
  }
  const rows = new DataView(new ArrayBuffer(elements * 36))
  // Element 0 alone reaches level 1, where it has no neighbour: one list of 12 bytes.
  const records = Buffer.alloc(elements * 4 + 12)
  records.writeUInt32LE(12)
  for (let id = 0; id < elements; id++) {
    const at = id * 36
    rows.setUint32(at, 2 | (id % 3 === 0 ? 0x1_00_00 : 0), true)
    rows.setUint32(at + 4, (id + 1) % elements, true)
    rows.setUint32(at + 8, (id + elements - 1) % elements, true)
    rows.setFloat32(at + 20, id, true)
    rows.setFloat32(at + 24, -id, true)
    rows.setUint32(at + 28, id + 1, true)
  }

  const folder = temporaryFolder()
  writeFileSync(join(folder, 'header.bin'), encodeHeader(header))
  writeFileSync(join(folder, 'data_level0.bin'), rows)
  writeFileSync(join(folder, 'length.bin'), Buffer.alloc(elements * 4))
  writeFileSync(join(folder, 'link_lists.bin'), records)
  return {folder, header}
}
