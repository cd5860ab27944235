import type {ChromaRecord, RecordMetadataValue} from '@chops/core/records'

import {isDeepStrictEqual} from 'node:util'

/** A cosine collection normalises an embedding and multiplies it again: f32 keeps seven digits. */
const EMBEDDING_TOLERANCE = 1e-6

/** Servers from 1.0 on read a float of JSON only to its last bit but one. */
const FLOAT_TOLERANCE = 2 * Number.EPSILON

export type Difference = 'document' | 'embedding' | 'metadata' | 'uri'

/** What a copy of a record differs in; undefined when it is the same as far as numbers can be. */
export function differenceOf(original: ChromaRecord, copy: ChromaRecord): Difference | undefined {
  if (original.document !== copy.document) return 'document'
  if (!sameEmbedding(original.embedding, copy.embedding)) return 'embedding'
  if (!sameMetadata(original.metadata ?? {}, copy.metadata ?? {})) return 'metadata'
  return original.uri === copy.uri ? undefined : 'uri'
}

function sameEmbedding(a: Float32Array | undefined, b: Float32Array | undefined): boolean {
  if (!a || !b) return a === b
  if (a.length !== b.length) return false
  let norm = 0
  let largest = 0
  for (const [i, value] of a.entries()) {
    norm += value * value
    largest = Math.max(largest, Math.abs(value - (b[i] as number)))
  }

  return largest <= EMBEDDING_TOLERANCE * Math.sqrt(norm)
}

function sameMetadata(
  a: Record<string, RecordMetadataValue>,
  b: Record<string, RecordMetadataValue>,
): boolean {
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameValue(a[key], b[key]))
  )
}

function sameValue(a: RecordMetadataValue | undefined, b: RecordMetadataValue | undefined): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, i) => sameValue(item, b[i]))
  if (typeof a === 'number' && typeof b === 'number') return Math.abs(a - b) <= FLOAT_TOLERANCE * Math.abs(a)
  return isDeepStrictEqual(a, b)
}
