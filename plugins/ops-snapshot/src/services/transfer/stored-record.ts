import {usage} from '@chops/core/errors'
import type {Generation} from '@chops/core/persist-dir'
import type {ChromaRecord, RecordMetadataScalar, RecordMetadataValue} from '@chops/core/records'

/** Metadata as JSON in which every engine tells integers from floats. */
export function metadataJson(entries: readonly (readonly [string, RecordMetadataValue])[]): string {
  return objectJson(entries)
}

/** What `parseExactJson` read, as JSON again: a float has a fraction, also when it is whole. */
export function exactJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number' && Number.isInteger(value)) return value.toFixed(1)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return Array.isArray(value)
    ? `[${value.map((item) => exactJson(item)).join(',')}]`
    : objectJson(Object.entries(value))
}

/** All that Chroma keeps as a record's metadata: the document and the URI go under keys of their own. */
export function storedEntries({document, metadata, uri}: ChromaRecord): [string, RecordMetadataValue][] {
  return [
    ...Object.entries(metadata ?? {}),
    ...(document === null ? [] : [['chroma:document', document] as [string, RecordMetadataValue]]),
    ...(uri === null ? [] : [['chroma:uri', uri] as [string, RecordMetadataValue]]),
  ]
}

/** In the order of `string_value`, `int_value`, `float_value`, `bool_value`. */
export function valueColumns(value: RecordMetadataScalar): {
  string_value: null | string
  int_value: bigint | null
  float_value: null | number
  bool_value: null | number
} {
  return {
    string_value: typeof value === 'string' ? value : null,
    int_value: typeof value === 'bigint' ? value : null,
    float_value: typeof value === 'number' ? value : null,
    bool_value: typeof value === 'boolean' ? Number(value) : null,
  }
}

/** Lists in metadata came with the table `embedding_metadata_array` (`00006-metadata-array-support`). */
export function takesLists({schema}: Generation): boolean {
  return schema.metadb >= 6
}

export function listsUnknown(what: string): Error {
  return usage(`${what} is a list, which the Chroma of this directory does not know.`, {
    next: 'Pull into a directory of Chroma 1.5 or later.',
  })
}

function objectJson(entries: readonly (readonly [string, unknown])[]): string {
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${exactJson(value)}`).join(',')}}`
}
