import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'

import type {HnswHeader} from '../../core/src/hnsw/header.js'

import {headerOf, writeHeaderAndNorms} from '../../core/src/hnsw/build/index-files.js'
import {writeWords} from '../../core/src/hnsw/build/word-writer.js'
import {writeIndexMetadata} from '../../core/src/hnsw/index-metadata-writer.js'
import {Random} from './random.js'

const M = 16
const EF_CONSTRUCTION = 100

/** How many elements, with how many dimensions. */
export interface Shape {
  dimension: number
  records: number
}

/**
 * Writes the five files of an index with random vectors, random links and levels as hnswlib draws them. No search would
 * find much in it, but it keeps every rule that can be checked without one.
 */
export async function writeIndexFiles(folder: string, shape: Shape, ids: Iterable<string>): Promise<void> {
  await mkdir(folder)
  const random = new Random(1)
  const levels = drawLevels(shape.records, random)
  let highest = 0
  for (const [id, level] of levels.entries()) if (level > (levels[highest] ?? 0)) highest = id
  const header = headerOf({
    M,
    curElementCount: shape.records,
    dimension: shape.dimension,
    efConstruction: EF_CONSTRUCTION,
    enterpoint: highest,
    maxElements: shape.records,
    maxLevel: levels[highest] ?? 0,
  })
  await writeHeaderAndNorms(folder, header, new Float32Array(shape.records))
  await writeLevel0(folder, header, random)
  await writeLinkLists(folder, header, levels, random)
  const idToLabel = new Map<string, number>()
  for (const id of ids) idToLabel.set(id, idToLabel.size + 1)
  await writeIndexMetadata(
    join(folder, 'index_metadata.pickle'),
    {
      dimensionality: null,
      idToLabel,
      idToSeqId: new Map(),
      maxSeqId: null,
      totalElementsAdded: shape.records,
    },
    'dict',
  )
}

/** As `getRandomLevel` in chroma-core/hnswlib hnswlib/hnswalg.h. */
function drawLevels(records: number, random: Random): Uint8Array {
  const levels = new Uint8Array(records)
  for (let id = 0; id < records; id++)
    levels[id] = Math.floor(-Math.log(random.u32() / 2 ** 32) / Math.log(M))
  return levels
}

async function writeLevel0(folder: string, header: HnswHeader, random: Random): Promise<void> {
  const {curElementCount, labelOffset, maxM0, offsetData, sizeDataPerElement} = header
  const rowWords = sizeDataPerElement / 4
  await writeWords(join(folder, 'data_level0.bin'), rowWords, async (out) => {
    for (let id = 0; id < curElementCount; id++) {
      if (!out.has(rowWords)) await out.flush()
      const row = out.words.subarray(out.at, out.at + rowWords).fill(0)
      writeList(row, {count: curElementCount, room: maxM0, self: id}, random)
      random.fill(out.floats.subarray(out.at + offsetData / 4, out.at + labelOffset / 4))
      row[labelOffset / 4] = id + 1
      out.at += rowWords
    }
  })
}

async function writeLinkLists(
  folder: string,
  {curElementCount, maxLevel, maxM}: HnswHeader,
  levels: Uint8Array,
  random: Random,
): Promise<void> {
  const members = Array.from({length: maxLevel + 1}, () => [] as number[])
  for (const [id, highest] of levels.entries())
    for (let level = 1; level <= highest; level++) members[level]?.push(id)
  const listWords = maxM + 1
  await writeWords(join(folder, 'link_lists.bin'), 1 + maxLevel * listWords, async (out) => {
    for (let id = 0; id < curElementCount; id++) {
      const highest = levels[id] ?? 0
      const recordWords = 1 + highest * listWords
      if (!out.has(recordWords)) await out.flush()
      const record = out.words.subarray(out.at, out.at + recordWords).fill(0)
      record[0] = 4 * (recordWords - 1)
      for (let level = 1; level <= highest; level++) {
        const onLevel = members[level] ?? []
        const list = record.subarray(1 + (level - 1) * listWords, 1 + level * listWords)
        writeList(list, {count: onLevel.length, ids: onLevel, room: maxM, self: id}, random)
      }

      out.at += recordWords
    }
  })
}

/** The elements that may be linked to: `ids`, or without them all of the index. */
interface Candidates {
  count: number
  ids?: readonly number[]
  /** Links that the list has room for. */
  room: number
  self: number
}

/** Writes the count and then between half and all of the links that fit, none twice and none to the element itself. */
function writeList(list: Uint32Array, {count, ids, room, self}: Candidates, random: Random): void {
  const wanted = Math.min(room / 2 + random.below(room / 2 + 1), count - 1)
  let links = 0
  while (links < wanted) {
    const index = random.below(count)
    const target = ids?.[index] ?? index
    if (target !== self && !has(list, links, target)) list[++links] = target
  }

  list[0] = links
}

/** Typed arrays' own methods take longer than this for so few numbers. */
function has(list: Uint32Array, count: number, target: number): boolean {
  for (let i = 1; i <= count; i++) if (list[i] === target) return true
  return false
}
