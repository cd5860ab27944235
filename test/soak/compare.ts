import {isDeepStrictEqual} from 'node:util'

import type {Space} from '../engines/support/judge.js'
import type {Model, ModelCollection} from './model.js'

import {decodeEmbedding, deviation} from '../support/segments.js'

/** A collection as an engine gives it out. */
export interface Dumped {
  count: number
  place: [string, string, string]
  records: Record<string, {document: null | string; embedding: null | string; metadata: null | object}>
}

export interface Answer {
  distances: number[]
  ids: string[]
}

/** Relative to the norm: what f32 loses in a few changes between a normalised and an original vector. */
const NORMALISED = 1e-5
const DISTANCE_TOLERANCE = 1e-3
/** HNSW is approximate, and these are small samples. */
const LEAST_RECALL = 0.5
const SHOWN = 3

/** What an engine gives out, held against what must be there: sentences, none when all is well. */
export function recordProblems(model: Model, dump: Dumped[]): string[] {
  const found = new Map(dump.map((collection) => [collection.place.join('/'), collection]))
  settle(model, found)
  const extra = [...found.keys()].filter((name) => !model.collections.has(name))
  return [
    ...extra.map((name) => `${name}: should not exist`),
    ...[...model.collections].flatMap(([name, wanted]) => {
      const there = found.get(name)
      const problems = there ? collectionProblems(wanted, there) : ['is missing']
      return problems.map((problem) => `${name}: ${problem}`)
    }),
  ]
}

/** Has the model take over what killed restores have put in force; the rest is as it was before them. */
function settle({alternatives, collections}: Model, found: ReadonlyMap<string, Dumped>): void {
  for (const [name, restored] of alternatives) {
    const before = collections.get(name)
    const there = found.get(name)
    const isAsBefore = before && there && collectionProblems(before, there).length === 0
    const isRestored = there && collectionProblems(restored, there).length === 0
    // Both, where nothing but the space may tell them apart.
    if (isAsBefore && isRestored) before.spaces = new Set([...before.spaces, ...restored.spaces])
    else if (isRestored) collections.set(name, restored)
  }

  alternatives.clear()
}

function collectionProblems({isExact, records}: ModelCollection, {count, records: found}: Dumped): string[] {
  const ids = Object.keys(found)
  const wrong = (what: 'document' | 'metadata') =>
    ids.filter((id) => records.has(id) && !isDeepStrictEqual(found[id]?.[what], records.get(id)?.[what]))
  const problems = [
    naming(
      'records are missing',
      [...records.keys()].filter((id) => !(id in found)),
    ),
    naming(
      'records should not exist',
      ids.filter((id) => !records.has(id)),
    ),
    naming(
      'records have another embedding',
      ids.filter((id) => {
        const wanted = records.get(id)
        const off = wanted ? deviation(decodeEmbedding(found[id]?.embedding ?? ''), wanted.vector) : 0
        return off > (isExact ? 0 : NORMALISED)
      }),
    ),
    naming('records have another document', wrong('document')),
    naming('records have other metadata', wrong('metadata')),
  ].filter((problem) => problem !== undefined)
  return count === records.size
    ? problems
    : [`counts ${count} records instead of ${records.size}`, ...problems]
}

function naming(what: string, ids: string[]): string | undefined {
  if (ids.length === 0) return undefined
  return `${ids.length} ${what}: ${ids.slice(0, SHOWN).join(', ')}${ids.length > SHOWN ? ', ...' : ''}`
}

/** The answers to queries, held against exact search; tells which of the possible spaces is in force. */
export function queryProblems(
  collection: ModelCollection,
  vectors: Float32Array[],
  k: number,
  answers: Answer[],
  {least, most}: {least: number; most: number},
): string[] {
  const {records, spaces} = collection
  const strange = answers.flatMap(({ids}) => ids).filter((id) => !records.has(id))
  if (strange.length > 0) return [`a query returns ${strange[0]}, which should not exist`]
  if (answers.some(({ids}) => new Set(ids).size < ids.length)) return ['a query returns an id twice']
  const other = answers.find(({ids}) => ids.length < least || ids.length > most)
  if (other) return [`a query returns ${other.ids.length} ids instead of ${k}`]
  const obeyed = [...spaces].filter((space) => haveDistances(collection, vectors, answers, space))
  if (obeyed.length === 0) return [`the distances are not those of ${[...spaces].join(' or ')}`]
  collection.spaces = new Set(obeyed)
  const recall = recallOf(collection, vectors, answers, obeyed[0] as Space)
  return recall < LEAST_RECALL ? [`the recall is ${recall.toFixed(2)}`] : []
}

function haveDistances(
  {records}: ModelCollection,
  vectors: Float32Array[],
  answers: Answer[],
  space: Space,
): boolean {
  return answers.every(({distances, ids}, query) =>
    ids.every((id, i) => {
      const exact = distance(vectors[query] as Float32Array, records.get(id)?.vector as Float32Array, space)
      return Math.abs(exact - (distances[i] as number)) <= DISTANCE_TOLERANCE * (1 + Math.abs(exact))
    }),
  )
}

function recallOf(
  {records}: ModelCollection,
  vectors: Float32Array[],
  answers: Answer[],
  space: Space,
): number {
  let hits = 0
  let all = 0
  for (const [query, {ids}] of answers.entries()) {
    const exact = [...records].map(([id, {vector}]) => ({
      id,
      distance: distance(vectors[query] as Float32Array, vector, space),
    }))
    exact.sort((a, b) => a.distance - b.distance)
    const nearest = new Set(exact.slice(0, ids.length).map(({id}) => id))
    hits += ids.filter((id) => nearest.has(id)).length
    all += ids.length
  }

  return all === 0 ? 1 : hits / all
}

function distance(a: Float32Array, b: Float32Array, space: Space): number {
  const dot = (x: Float32Array, y: Float32Array) =>
    x.reduce((sum, value, i) => sum + value * (y[i] as number), 0)
  if (space === 'l2') return dot(a, a) - 2 * dot(a, b) + dot(b, b)
  return 1 - (space === 'ip' ? dot(a, b) : dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)))
}
