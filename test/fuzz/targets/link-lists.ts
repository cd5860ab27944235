import {deepEqual, equal} from 'node:assert/strict'
import {readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {headerOf} from '../../../core/src/hnsw/build/index-files.js'
import {splitSingleFile} from '../../../core/src/hnsw/build/single-file.js'
import {loadGraph} from '../../../core/src/hnsw/graph.js'
import {encodeHeader, type HnswHeader} from '../../../core/src/hnsw/header.js'
import {linkListProblems, readLevels} from '../../../core/src/hnsw/link-lists.js'
import {copyOfCosineSegment} from '../../core/hnsw/segment-folders.js'
import {outcome, workFolder} from '../support.js'

const folder = workFolder()
const copy = workFolder()
const single = join(copy, 'single.bin')

/** Parameter bytes before the lists: M, elements, highest level, entry point. */
const PREFIX = 4
const LARGEST_M = 8
const MOST_ELEMENTS = 64
const HIGHEST_LEVEL = 64

/** `link_lists.bin` under a sound header: the readers see what a reading with a DataView sees, and copying is exact. */
export async function fuzz(data: Buffer): Promise<void> {
  if (data.length < PREFIX) return
  const lists = data.subarray(PREFIX)
  const header = writeIndex(lists, data)
  const seen = readNaively(lists, header)

  const read = await readLevels(folder, header)
  equal('broken' in read, seen.levels === undefined)
  if (!('broken' in read)) {
    deepEqual([...read.levels], seen.levels)
    equal(read.runaway !== undefined, seen.length < lists.length)
  }

  const found = await linkListProblems(folder, header)
  deepEqual(new Set(found.map(({id}) => id)), seen.broken)
  const isSound = [...seen.broken].every((rule) => rule === 'H9') && seen.levels !== undefined
  equal((await outcome(() => loadGraph(folder, header))) !== undefined, isSound)
  if (isSound) await expectSameCopy(header, lists.subarray(0, seen.length))
}

export function* seeds(): Generator<[string, Buffer]> {
  const lists = readFileSync(join(copyOfCosineSegment(), 'link_lists.bin'))
  yield ['chroma-1.5.9', Buffer.concat([Buffer.of(7, 64, 3, 0), lists.subarray(0, 64 * 4 + 5 * 36)])]
  const words = [8, 1, 1, 16, 1, 0, 0, 0, 0]
  yield ['two-levels', Buffer.concat([Buffer.of(0, 3, 2, 1), Buffer.from(Uint32Array.from(words).buffer)])]
}

function writeIndex(lists: Buffer, [M = 0, elements = 0, level = 0, entry = 0]: Buffer): HnswHeader {
  const count = elements % (MOST_ELEMENTS + 1)
  const header = headerOf({
    curElementCount: count,
    dimension: 1,
    efConstruction: 100,
    enterpoint: count === 0 ? 0xff_ff_ff_ff : entry % count,
    M: 1 + (M % LARGEST_M),
    maxElements: count,
    maxLevel: count === 0 ? -1 : level % (HIGHEST_LEVEL + 1),
  })
  const rows = Buffer.alloc(count * header.sizeDataPerElement)
  for (let id = 0; id < count; id++) {
    rows.writeUInt32LE(id + 1, id * header.sizeDataPerElement + header.labelOffset)
  }

  writeFileSync(join(folder, 'header.bin'), encodeHeader(header))
  writeFileSync(join(folder, 'data_level0.bin'), rows)
  writeFileSync(join(folder, 'link_lists.bin'), lists)
  return header
}

/** The level of each element, where the last record ends, and which rules the lists break. */
function readNaively(
  lists: Buffer,
  {curElementCount, enterpoint, maxLevel, maxM}: HnswHeader,
): {broken: Set<string>; length: number; levels: number[] | undefined} {
  const levels: number[] = []
  const listBytes = 4 + 4 * maxM
  let at = 0
  for (let id = 0; id < curElementCount; id++) {
    const bytes = at + 4 <= lists.length ? lists.readUInt32LE(at) : -1
    const isRecord = bytes >= 0 && bytes % listBytes === 0 && bytes <= maxLevel * listBytes
    if (!isRecord || at + 4 + bytes > lists.length)
      return {broken: new Set(['H9']), length: at, levels: undefined}
    levels.push(bytes / listBytes)
    at += 4 + bytes
  }

  const broken = new Set<string>()
  if (at < lists.length) broken.add('H9')
  if (curElementCount > 0 && levels[enterpoint] !== maxLevel) broken.add('H11')
  let list = 0
  for (const [id, highest] of levels.entries()) {
    list += 4
    for (let level = 1; level <= highest; level++, list += listBytes) {
      const count = lists.readUInt16LE(list)
      const links = Array.from({length: Math.min(count, maxM)}, (_, i) =>
        lists.readUInt32LE(list + 4 + 4 * i),
      )
      const isSound =
        count <= maxM &&
        new Set(links).size === links.length &&
        links.every((link) => link !== id && (levels[link] ?? -1) >= level)
      if (!isSound) broken.add('H10')
    }
  }

  return {broken, length: at, levels}
}

/** From hnswlib's single file, which is the header without its first word, the rows and the lists. */
async function expectSameCopy(header: HnswHeader, lists: Buffer): Promise<void> {
  for (const file of ['data_level0.bin', 'link_lists.bin', 'single.bin'])
    rmSync(join(copy, file), {force: true})
  const rows = readFileSync(join(folder, 'data_level0.bin'))
  writeFileSync(single, Buffer.concat([encodeHeader(header).subarray(4), rows, lists]))
  deepEqual(await splitSingleFile(single, copy, () => {}), header)
  deepEqual(readFileSync(join(copy, 'link_lists.bin')), lists)
  deepEqual(readFileSync(join(copy, 'data_level0.bin')), readFileSync(join(folder, 'data_level0.bin')))
}
