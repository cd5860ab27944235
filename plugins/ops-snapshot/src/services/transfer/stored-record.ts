import type {ChromaRecord, RecordMetadataScalar, RecordMetadataValue} from '@chops/core/records'

/** Metadata as JSON in which every engine tells integers from floats: a float has a fraction, also when it is whole. */
export function metadataJson(entries: readonly (readonly [string, RecordMetadataValue])[]): string {
  const fields = entries.map(([key, value]) => {
    const text = Array.isArray(value)
      ? `[${value.map((item) => scalarJson(item)).join(',')}]`
      : scalarJson(value)
    return `${JSON.stringify(key)}:${text}`
  })
  return `{${fields.join(',')}}`
}

/** All that Chroma keeps as a record's metadata: the document and the URI go under keys of their own. */
export function storedEntries({document, metadata, uri}: ChromaRecord): [string, RecordMetadataValue][] {
  return [
    ...Object.entries(metadata ?? {}),
    ...(document === null ? [] : [['chroma:document', document] as [string, RecordMetadataValue]]),
    ...(uri === null ? [] : [['chroma:uri', uri] as [string, RecordMetadataValue]]),
  ]
}

function scalarJson(value: RecordMetadataScalar): string {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number' && Number.isInteger(value)) return value.toFixed(1)
  return JSON.stringify(value)
}
