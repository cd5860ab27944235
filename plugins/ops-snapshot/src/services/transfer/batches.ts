import type {ChromaRecord} from '@chops/core/records'

/** A request larger than this gains nothing, and servers and proxies have limits. */
const BATCH_BYTES = 4 * 1024 * 1024

/**
 * Puts the records of pages together to batches of at most `size` records and some megabytes.
 *
 * @yields a batch, never empty
 */
export async function* batchesOf(
  pages: AsyncIterable<ChromaRecord[]>,
  size: number,
): AsyncGenerator<ChromaRecord[]> {
  let batch: ChromaRecord[] = []
  let bytes = 0
  for await (const page of pages) {
    for (const record of page) {
      const weight = weightOf(record)
      if (batch.length > 0 && (batch.length === size || bytes + weight > BATCH_BYTES)) {
        yield batch
        batch = []
        bytes = 0
      }

      batch.push(record)
      bytes += weight
    }
  }

  if (batch.length > 0) yield batch
}

/** About the bytes of the record in a request: base64 makes four of three. */
function weightOf({document, embedding, id, metadata}: ChromaRecord): number {
  let weight = id.length + (document?.length ?? 0) + (4 / 3) * (embedding?.byteLength ?? 0)
  for (const [key, value] of Object.entries(metadata ?? {})) {
    weight +=
      key.length + (typeof value === 'string' ? value.length : 8 * (Array.isArray(value) ? value.length : 1))
  }

  return weight
}
