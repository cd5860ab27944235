/**
 * A value of a record's metadata. Chroma tells integers from floats, and filters by the one do not find the other:
 * an integer is a `bigint`, a float a `number`, whatever its value.
 */
export type RecordMetadataValue = RecordMetadataScalar | RecordMetadataScalar[]

export type RecordMetadataScalar = bigint | boolean | number | string

export type RecordMetadata = Record<string, RecordMetadataValue>

/** A record as Chroma answers for it. */
export interface ChromaRecord {
  document: null | string
  /** The original embedding, also in a cosine collection. Absent when it is lost: neither in the index nor in the log. */
  embedding: Float32Array | undefined
  id: string
  /** Without Chroma's own keys (`chroma:document`, `chroma:uri`); null when there are no others. */
  metadata: null | RecordMetadata
  uri: null | string
}

const DOCUMENT_KEY = 'chroma:document'
const URI_KEY = 'chroma:uri'
const OWN_PREFIX = 'chroma:'

/** What a segment or the log keeps about a record: metadata with the document and the URI under Chroma's own keys. */
export type StoredMetadata = Map<string, RecordMetadataValue>

/** The record as the engines answer: Chroma's own keys apart (`_clean_metadata` in `execution/executor/local.py`). */
export function toRecord(
  id: string,
  stored: StoredMetadata,
  embedding: Float32Array | undefined,
): ChromaRecord {
  const own = [...stored].filter(([key]) => !key.startsWith(OWN_PREFIX))
  return {
    document: textOf(stored.get(DOCUMENT_KEY)),
    embedding,
    id,
    metadata: own.length === 0 ? null : Object.fromEntries(own),
    uri: textOf(stored.get(URI_KEY)),
  }
}

function textOf(value: RecordMetadataValue | undefined): null | string {
  return typeof value === 'string' ? value : null
}
