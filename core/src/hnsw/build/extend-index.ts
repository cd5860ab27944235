import {mkdir, rm} from 'node:fs/promises'
import {join} from 'node:path'
import type {Space} from '../../catalog/hnsw-parameters.js'
import {type ChopsError, damaged} from '../../errors.js'
import type {ScanOptions} from '../files.js'
import {type HnswHeader, readHeader} from '../header.js'
import {readNorms} from '../length.js'
import {Engine} from './engine.js'
import {syncFolder, writeHeaderAndNorms} from './index-files.js'
import {type NetOperations} from './operations.js'
import {type RowVisitor, splitSingleFile, writeSingleFile} from './single-file.js'

/** Bit 0 of byte 2 of a row. */
const DELETE_MARK = 0x1_00_00

/** hnswlib-node takes labels as 32-bit numbers, and so does Chroma from 1.0. */
const LARGEST_LABEL = 0xff_ff_ff_ff

/** An index in the form of hnswlib's single file, for as long as it takes. */
const SINGLE_FILE = 'index.tmp'

export interface ExtendOptions extends ScanOptions {
  /** The sound index to go on from (H3 to H12); it is only read. */
  folder: string
  /** See `netOperations`. */
  operations: NetOperations
  /** Folder for the extended index, which must not have one yet; it is made when it does not exist. */
  outDir: string
  space: Space
}

/** What the rows of the old index tell about the labels of the operations, and which rows are deleted. */
class OldRows {
  readonly deletedIds: Uint8Array
  /** Internal ids of live elements that operations mention, by label. */
  readonly ids = new Map<number, number>()
  private readonly added: Set<number>
  private readonly mentioned: Set<number>

  constructor(
    private readonly folder: string,
    private readonly header: HnswHeader,
    private readonly operations: NetOperations,
  ) {
    this.deletedIds = new Uint8Array(header.curElementCount)
    this.added = new Set(operations.added.labels)
    this.mentioned = new Set([...operations.deleted, ...operations.updated.labels])
  }

  /**
   * Takes the deleted mark off a row. hnswlib links no new element to a marked one, and where a level has hardly any
   * other it finds no neighbour at all and crashes (`selectedNeighbors.back()` in `mutuallyConnectNewElement`).
   */
  readonly visit: RowVisitor = (words, at, id) => {
    const labelAt = at + this.header.labelOffset / 4
    const label = (words[labelAt + 1] as number) * 2 ** 32 + (words[labelAt] as number)
    if (this.added.has(label)) throw this.contradiction(`already has an element with label ${label}`)
    const head = words[at] as number
    if ((head & DELETE_MARK) !== 0) {
      this.deletedIds[id] = 1
      words[at] = head & ~DELETE_MARK
    } else if (this.mentioned.has(label)) this.ids.set(label, id)
  }

  /** Checks that every element to change was there, then counts those to delete as deleted. */
  delete(): void {
    for (const label of this.mentioned) {
      const id = this.ids.get(label)
      if (id === undefined) throw this.contradiction(`has no live element with label ${label}`)
      if (this.operations.deleted.has(label)) this.deletedIds[id] = 1
    }
  }

  private contradiction(what: string): ChopsError {
    const file = join(this.folder, 'data_level0.bin')
    return damaged(`${file} ${what}, other than index_metadata.pickle says.`, {
      file,
      next: 'Run `chops hnsw rebuild`, which makes a new index from the vectors.',
    })
  }
}

async function changeSingleFile(
  path: string,
  {onProgress, operations, signal, space}: ExtendOptions,
  {curElementCount, dimension, efConstruction, M, maxElements}: HnswHeader,
): Promise<void> {
  const {added, updated} = operations
  const labels = Uint32Array.from([...added.labels, ...updated.labels])
  const vectors = new Float32Array(added.vectors.length + updated.vectors.length)
  vectors.set(added.vectors)
  vectors.set(updated.vectors, added.vectors.length)
  // hnswlib-node makes no room in an empty index that it loads.
  const load = curElementCount > 0 ? path : undefined
  const engine = await Engine.start(
    {dimension, efConstruction, load, M, maxElements, space, threads: 1},
    {engines: ['hnswlib-node'], signal},
  )
  try {
    await engine.add(labels, vectors, onProgress)
    await engine.save(path)
  } finally {
    await engine.stop()
  }
}

/**
 * Writes an index with operations applied as the four files of another segment folder, each synced to the disk. Old
 * elements keep their internal ids, added ones follow; deleted ones stay with their mark, as in Chroma's engines.
 * It is done by hnswlib-node on one thread, since usearch cannot go on from an index of hnswlib.
 * Memory: the library's copy of the vectors and the graph. Disk: for a while about twice the finished files.
 * `onProgress` counts added and updated elements.
 *
 * @throws ChopsError `damaged` when the index is not sound, an element to change is missing or one to add exists, or
 * when the disk is full; `usage` when hnswlib-node is not installed
 */
export async function extendIndex(options: ExtendOptions): Promise<HnswHeader> {
  const {folder, operations, outDir, signal, space} = options
  const {added, updated} = operations
  const old = await readHeader(folder, {cosine: space === 'cosine'})
  for (const label of [...added.labels, ...updated.labels]) {
    if (label > LARGEST_LABEL) throw new RangeError(`label ${label} does not fit in 32 bits`)
  }

  const curElementCount = old.curElementCount + added.labels.length
  const rows = new OldRows(folder, old, operations)
  const single = join(outDir, SINGLE_FILE)
  let header: HnswHeader
  await mkdir(outDir, {recursive: true})
  try {
    // Not the room that the header announces: the library sets memory aside for all of it.
    const exact = {...old, maxElements: curElementCount}
    await writeSingleFile({folder, header: exact}, single, rows.visit, {signal})
    rows.delete()
    if (added.labels.length + updated.labels.length > 0) await changeSingleFile(single, options, exact)
    header = await splitSingleFile(
      single,
      outDir,
      (words, at, id) => {
        if (rows.deletedIds[id] === 1) words[at] = (words[at] as number) | DELETE_MARK
      },
      {signal},
    )
  } finally {
    await rm(single, {force: true})
  }

  if (header.curElementCount !== curElementCount)
    throw new Error(`hnswlib-node has ${header.curElementCount} elements instead of ${curElementCount}`)
  let norms: Float32Array | undefined
  if (space === 'cosine') {
    norms = new Float32Array(curElementCount)
    norms.set(await readNorms(folder, old, {signal}))
    norms.set(added.norms as Float32Array, old.curElementCount)
    for (let i = 0; i < updated.labels.length; i++) {
      norms[rows.ids.get(updated.labels[i] as number) as number] = updated.norms?.[i] as number
    }
  }

  header = {...header, maxElements: Math.max(old.maxElements, curElementCount)}
  await writeHeaderAndNorms(outDir, header, norms)
  await syncFolder(outDir)
  return header
}
