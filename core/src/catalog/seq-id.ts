import type {Generation} from '../persist-dir/generation.js'

import {damaged} from '../errors.js'

/**
 * SQL that reads a seq id of any generation as text, exactly: INTEGER from 1.0, a big-endian BLOB (8 bytes, 24 in the
 * oldest) before. Text, because drivers differ on integers beyond 2^53, which a failed migration leaves behind.
 */
export function seqIdText(column: string): string {
  return `CASE typeof(${column}) WHEN 'blob' THEN 'x' || hex(${column}) ELSE CAST(${column} AS TEXT) END`
}

/**
 * Decodes what `seqIdText` selects. A value beyond 2^53 comes back as the nearest number: no log reaches it, it only has
 * to stay larger than every real one.
 *
 * @returns the seq id, or `undefined` when there is no row or the value is NULL
 * @throws ChopsError `damaged` for a text or a fraction, which no engine writes
 */
export function decodeSeqId(text: null | string | undefined): number | undefined {
  if (text === null || text === undefined) return undefined
  if (/^-?\d+$/.test(text)) return Number(text)
  if (/^x[\dA-F]*$/.test(text)) return Number(BigInt(`0x0${text.slice(1)}`))
  throw damaged(`The table max_seq_id in chroma.sqlite3 holds ${JSON.stringify(text)}, which is no seq id.`, {
    next: 'Restore chroma.sqlite3 from a backup.',
  })
}

/**
 * Whether this generation keeps how far a VECTOR segment is in the table `max_seq_id`: from 0.5.7, whose schema 0.5.6
 * has as well. Before, only the index metadata says so, and a row in the table would be wrong as soon as the engine
 * goes on writing.
 */
export function keepsVectorSeqIdInTable({schema}: Generation): boolean {
  return schema.embeddingsQueue >= 2
}

/** A seq id as `max_seq_id` holds it: INTEGER from 1.0, before that a big-endian BLOB of 8 bytes. */
export function encodeSeqId({engine}: Generation, seqId: number): number | Uint8Array {
  if (engine === 'rust') return seqId
  const blob = Buffer.alloc(8)
  blob.writeBigUInt64BE(BigInt(seqId))
  return blob
}
