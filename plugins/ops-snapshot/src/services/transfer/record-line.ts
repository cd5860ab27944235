import type {ChromaRecord, RecordMetadata} from '@chops/core/records'

import {isMetadataValue, parseExactJson} from '@chops/core/records'

import {unreadableLine} from './staging-file.js'
import {metadataJson} from './stored-record.js'

/** A record as a line of JSON, its embedding as base64 of the little-endian f32. */
export function recordLine({document, embedding, id, metadata, uri}: ChromaRecord): string {
  const vector =
    embedding && Buffer.from(embedding.buffer, embedding.byteOffset, embedding.byteLength).toString('base64')
  const texts = JSON.stringify({document, id, uri, vector})
  return `${texts.slice(0, -1)},"metadata":${metadata ? metadataJson(Object.entries(metadata)) : 'null'}}\n`
}

export function parseRecord(line: string, path: string): ChromaRecord {
  let fields: Record<string, unknown>
  try {
    fields = parseExactJson(line) as Record<string, unknown>
  } catch (error) {
    throw unreadableLine(path, error)
  }

  const {document, id, metadata, uri, vector} = fields
  if (typeof id !== 'string' || typeof vector !== 'string' || !isMetadata(metadata))
    throw unreadableLine(path)
  return {
    document: typeof document === 'string' ? document : null,
    embedding: new Float32Array(Uint8Array.from(Buffer.from(vector, 'base64')).buffer),
    id,
    metadata,
    uri: typeof uri === 'string' ? uri : null,
  }
}

function isMetadata(value: unknown): value is null | RecordMetadata {
  return (
    value === null ||
    (typeof value === 'object' && Object.values(value).every((item) => isMetadataValue(item)))
  )
}
