import type {EngineVersion} from '../engines/support/engines.js'
import type {Space} from '../engines/support/judge.js'

import {Random} from '../../bench/data/random.js'

/** Tenant, database and name: what tells a collection from every other. */
export type Place = [tenant: string, database: string, name: string]

export const PLACES: Place[] = [
  ['default_tenant', 'default_database', 'alpha'],
  ['default_tenant', 'default_database', 'beta'],
  ['default_tenant', 'second', 'alpha'],
  ['acme', 'prod', 'alpha'],
  ['acme', 'prod', 'gamma'],
]

/**
 * What a user does to the records of a collection. It names ids whether they exist or not, so that a list of operations stays
 * one when some of it is left out: the model says what there is to do.
 */
export type Operation =
  | {at: Place; do: 'add' | 'update' | 'upsert'; ids: number[]; plain: boolean; seed: number}
  | {at: Place; do: 'create'; metadata: Record<string, number | string>; space: Space}
  | {at: Place; do: 'delete'; ids: number[]}
  | {at: Place; do: 'describe'; ids: number[]; seed: number}
  | {at: Place; do: 'drop'}

export type Metadata = Record<string, boolean | number | string>

export interface ModelRecord {
  document: null | string
  metadata: Metadata | null
  vector: Float32Array
}

export interface ModelCollection {
  /** Deleted once: 0.4 loses a record that is added again while its delete is still in the same batch. */
  gone: Set<string>
  /** Whether every vector has to come back to the byte: not where it has been divided by its norm. */
  isExact: boolean
  place: Place
  records: Map<string, ModelRecord>
  /** More than one after a change of space that may have been killed. */
  spaces: Set<Space>
}

export const DIMENSION = 8

/** What must be in the directory. */
export class Model {
  readonly collections = new Map<string, ModelCollection>()
  /** What a restore that was killed may have put in the place of a collection, or where there was none. */
  readonly alternatives = new Map<string, ModelCollection>()

  at(place: Place): ModelCollection | undefined {
    return this.collections.get(place.join('/'))
  }

  /** Carries an operation out and returns the request that has an engine do the same; undefined when there is nothing to do. */
  apply(operation: Operation, version: EngineVersion): object | undefined {
    const {at: place} = operation
    const collection = this.at(place)
    if (operation.do === 'create') {
      if (collection) return undefined
      this.create(place, operation.space)
      return {do: 'create', metadata: {...operation.metadata, 'hnsw:space': operation.space}, place}
    }

    if (!collection) return undefined
    if (operation.do === 'drop') {
      this.collections.delete(place.join('/'))
      return {do: 'drop', place}
    }

    const mayReturn = !version.startsWith('0.4')
    const ids = operation.ids
      .map((number) => idOf(number))
      .filter((id) => {
        const isKnown = collection.records.has(id)
        const isNew = !isKnown && (mayReturn || !collection.gone.has(id))
        return operation.do === 'add' ? isNew : isKnown || (operation.do === 'upsert' && isNew)
      })
    if (ids.length === 0) return undefined
    if (operation.do === 'delete') {
      for (const id of ids) {
        collection.records.delete(id)
        collection.gone.add(id)
      }

      return {do: 'delete', ids, place}
    }

    const content = ids.map((id, i) => contentOf(operation, id, i))
    for (const [i, id] of ids.entries()) change(collection, id, content[i])
    const [first] = content
    const has = (field: keyof ModelRecord) => first !== undefined && field in first
    return {
      do: operation.do === 'describe' ? 'update' : operation.do,
      ids,
      place,
      ...(has('vector') && {embeddings: content.map(({vector = []}) => [...vector])}),
      ...(has('document') && {documents: content.map(({document}) => document)}),
      ...(has('metadata') && {metadatas: content.map(({metadata}) => metadata)}),
    }
  }

  create(place: Place, space: Space): ModelCollection {
    const collection = {
      gone: new Set<string>(),
      isExact: space !== 'cosine',
      place,
      records: new Map<string, ModelRecord>(),
      spaces: new Set([space]),
    }
    this.collections.set(place.join('/'), collection)
    return collection
  }
}

/** A collection as it is now, for later or for another place. */
export function copyOf(collection: ModelCollection, place = collection.place): ModelCollection {
  return {
    ...collection,
    place,
    gone: new Set(collection.gone),
    records: new Map(collection.records),
    spaces: new Set(collection.spaces),
  }
}

/** Some ids are not ASCII. */
function idOf(number: number): string {
  return number % 10 === 3 ? `päth / 記録 ${number}` : `id-${number}`
}

/** Metadata of a known id is merged key by key; what is not given stays. */
function change({records}: ModelCollection, id: string, content: Partial<ModelRecord> = {}): void {
  const known = records.get(id) ?? {document: null, metadata: null, vector: new Float32Array()}
  const metadata = content.metadata ? {...known.metadata, ...content.metadata} : known.metadata
  records.set(id, {
    document: content.document ?? known.document,
    metadata,
    vector: content.vector ?? known.vector,
  })
}

type Writing = Extract<Operation, {seed: number}>

/** What an operation writes to one of its records. */
function contentOf(operation: Writing, id: string, index: number): Partial<ModelRecord> {
  const random = new Random(operation.seed + index)
  if (operation.do === 'describe') return {metadata: {described: random.below(1000), last: id}}
  const vector = new Float32Array(DIMENSION)
  random.fill(vector)
  const scale = 0.5 + random.below(6) / 2
  for (const [i, value] of vector.entries()) vector[i] = value * scale
  if (operation.plain) return {vector}
  const number = random.below(1000)
  return {
    document: `soak word${number} naïveté 東京`,
    // Never a whole number: JSON does not tell it from an integer. Quarters: 1.x keeps other floats to their last bit but one.
    metadata: {number, odd: number % 2 === 1, quarter: number + 0.25, word: `w${number % 7}`},
    vector,
  }
}
