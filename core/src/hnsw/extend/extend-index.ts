import {join} from 'node:path'
import {setImmediate} from 'node:timers/promises'

import type {IndexElements} from '../build/elements.js'
import type {NetOperations} from '../build/operations.js'
import type {ScanOptions} from '../files.js'
import type {IndexImage} from './index-image.js'

import {linkUnreachable} from '../build/connect.js'
import {type ChopsError, damaged} from '../../errors.js'
import {NO_ENTERPOINT} from '../header-layout.js'
import {Inserter} from '../insert/inserter.js'
import {detach} from './detach.js'
import {growGraph} from './grow-graph.js'

/** Elements that are inserted between two turns of the event loop: some tens of milliseconds. */
const INSERTED_PER_TURN = 32

/**
 * Applies operations to an index in memory, which has room for what they add: old elements keep their internal ids,
 * added ones follow; deleted ones stay with their mark and go on leading searches, as in Chroma's engines; updated ones
 * are taken out of the graph and inserted again. Every live element can be found afterwards, see `linkUnreachable`.
 * It is done as hnswlib does it, but in this process: a library would have to be given all files in another form and
 * give them back.
 * `onProgress` counts added and updated elements.
 *
 * @param operations see `netOperations`; their vectors have to be finite
 * @throws ChopsError `damaged` when an element to change is missing or one to add exists
 */
export async function extendImage(
  image: IndexImage,
  {added, deleted, updated}: NetOperations,
  {onProgress, signal}: ScanOptions = {},
): Promise<void> {
  const updatedIds = liveIds(image, updated.labels)
  const deletedIds = liveIds(image, deleted)
  const addedIds = addIds(image, added.labels)
  const rows = image.table
  await detach(image.graph, rows, updatedIds, {signal})
  putVectors(image, updatedIds, updated)
  putVectors(image, addedIds, added)
  const graph = growGraph(image.graph, addedIds.length)
  image.graph = graph

  const inserter = new Inserter(graph, rows)
  const wanted = [...updatedIds, ...addedIds]
  for (const [done, id] of wanted.entries()) {
    // Where there is no other element, a search begins here.
    if (graph.header.enterpoint === NO_ENTERPOINT)
      graph.header = {...graph.header, enterpoint: id, maxLevel: graph.levels[id] as number}
    else inserter.insert(id)
    if (done % INSERTED_PER_TURN !== 0) continue
    onProgress?.(done, wanted.length)
    await setImmediate()
    signal?.throwIfAborted()
  }

  for (const id of deletedIds) graph.deleted[id] = 1
  await linkUnreachable(graph, {signal})
  onProgress?.(wanted.length, wanted.length)
}

/** Internal ids of live elements. */
function liveIds({folder, graph, ids}: IndexImage, labels: Iterable<number>): number[] {
  return Array.from(labels, (label) => {
    const id = ids.get(label)
    if (id === undefined || graph.deleted[id] !== 0)
      throw contradiction(folder, `has no live element with label ${label}`)
    return id
  })
}

/** Gives new elements their internal ids. */
function addIds({folder, graph, ids}: IndexImage, labels: Iterable<number>): number[] {
  return Array.from(labels, (label, i) => {
    if (ids.has(label)) throw contradiction(folder, `already has an element with label ${label}`)
    const id = graph.header.curElementCount + i
    ids.set(label, id)
    return id
  })
}

function putVectors(
  {norms, rows}: IndexImage,
  ids: readonly number[],
  {dimension, labels, norms: newNorms, vectors}: IndexElements,
): void {
  for (const [i, id] of ids.entries()) {
    rows.setElement(id, vectors.subarray(i * dimension, (i + 1) * dimension), labels[i] as number)
    if (norms) norms[id] = newNorms?.[i] as number
  }
}

function contradiction(folder: string, what: string): ChopsError {
  const file = join(folder, 'data_level0.bin')
  return damaged(`${file} ${what}, other than index_metadata.pickle says.`, {
    file,
    next: 'Run `chops hnsw rebuild`, which makes a new index from the vectors.',
  })
}
