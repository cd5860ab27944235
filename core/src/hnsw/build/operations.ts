import type {Space} from '../../catalog/hnsw-parameters.js'
import {type IndexElements, normalizeVectors} from './elements.js'

/** One change to an index; vectors are original embeddings, also for a cosine index. */
export type IndexOperation =
  {label: number; op: 'add' | 'update'; vector: Float32Array} | {label: number; op: 'delete'}

/** What a list of operations comes to, by label: each label once, in order of first mention. */
export interface NetOperations {
  /** Elements as the index stores them. */
  added: IndexElements
  deleted: Set<number>
  /** Elements as the index stores them. */
  updated: IndexElements
}

interface Change {
  op: 'add' | 'delete' | 'update'
  vector?: Float32Array
}

function merge(earlier: Change | undefined, operation: IndexOperation): Change | undefined {
  const {label, op} = operation
  const isPossible = op === 'add' ? !earlier : earlier?.op !== 'delete'
  if (!isPossible) throw new RangeError(`cannot ${op} label ${label} after its ${earlier?.op}`)
  if (op !== 'delete') return {op: earlier?.op ?? op, vector: operation.vector}
  return earlier?.op === 'add' ? undefined : {op}
}

function elementsOf(changes: readonly (readonly [number, Change])[], dimension: number, space: Space) {
  const vectors = new Float32Array(changes.length * dimension)
  for (const [i, [label, {vector}]] of changes.entries()) {
    if (vector?.length !== dimension) {
      throw new RangeError(`label ${label} has ${vector?.length} dimensions, but the index has ${dimension}`)
    }

    vectors.set(vector, i * dimension)
  }

  const labels = changes.map(([label]) => label)
  if (space !== 'cosine') return {dimension, labels, vectors}
  return {dimension, labels, norms: normalizeVectors(vectors, dimension), vectors}
}

/**
 * The net effect of operations in the order they happened: the last vector of each label, and nothing of one that was
 * added and deleted again.
 *
 * @throws RangeError for an order that cannot be (a label added twice, changed after its deletion) or a wrong dimension
 */
export function netOperations(
  operations: Iterable<IndexOperation>,
  dimension: number,
  space: Space,
): NetOperations {
  const changes = new Map<number, Change>()
  for (const operation of operations) {
    const change = merge(changes.get(operation.label), operation)
    if (change) changes.set(operation.label, change)
    else changes.delete(operation.label)
  }

  const of = (op: Change['op']) => [...changes].filter(([, change]) => change.op === op)
  return {
    added: elementsOf(of('add'), dimension, space),
    deleted: new Set(of('delete').map(([label]) => label)),
    updated: elementsOf(of('update'), dimension, space),
  }
}

/**
 * The elements after operations, those that were there first in their order, then the added ones. Where the memory of the
 * given vectors has room for the result it is made in place, so do not use the given ones again.
 *
 * @throws RangeError when a label to add exists or one to update or delete does not
 */
export function applyOperations(elements: IndexElements, net: NetOperations): IndexElements {
  const {dimension} = elements
  const {added, deleted, updated} = net
  const updates = new Map([...updated.labels].map((label, i) => [label, i]))
  const adds = new Set(added.labels)
  if (elements.labels.length === 0 && deleted.size + updates.size === 0) return added
  const total = elements.labels.length - deleted.size + added.labels.length
  const labels = new Float64Array(total)
  const vectors = roomFor(total * dimension, elements.vectors)
  const isInPlace = vectors.buffer === elements.vectors.buffer
  const norms = elements.norms && new Float32Array(total)
  let to = 0
  const put = (label: number, source: IndexElements, i: number) => {
    const stays = isInPlace && source === elements && i === to
    if (to < total && !stays)
      vectors.set(source.vectors.subarray(i * dimension, (i + 1) * dimension), to * dimension)
    if (norms) norms[to] = source.norms?.[i] as number
    labels[to++] = label
  }

  let touched = 0
  for (let i = 0; i < elements.labels.length; i++) {
    const label = elements.labels[i] as number
    const update = updates.get(label)
    if (adds.has(label)) throw new RangeError(`label ${label} exists already`)
    if (deleted.has(label) || update !== undefined) touched += 1
    if (update !== undefined) put(label, updated, update)
    else if (!deleted.has(label)) put(label, elements, i)
  }

  if (touched !== deleted.size + updates.size)
    throw new RangeError('a label to update or delete does not exist')
  for (let i = 0; i < added.labels.length; i++) put(added.labels[i] as number, added, i)
  return {dimension, labels, norms, vectors: vectors.subarray(0, total * dimension)}
}

/** The memory of the vectors themselves, if it goes on far enough: none of them moves to a higher place. */
function roomFor(floats: number, {buffer, byteOffset}: Float32Array): Float32Array {
  if (byteOffset === 0 && buffer.byteLength >= 4 * floats) return new Float32Array(buffer, 0, floats)
  return new Float32Array(floats)
}
