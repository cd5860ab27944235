/** C data is wrong or lost or the engine crashes, E a feature is broken, W wasteful or risky, I information. */
export const SEVERITIES = ['C', 'E', 'W', 'I'] as const

export type Severity = (typeof SEVERITIES)[number]

/** Whether `db check --fix`, or the command a finding names, can repair it: wholly, with a loss or a choice, or not. */
export type Repairable = 'no' | 'partly' | 'yes'

export interface Invariant {
  /** What holds in a healthy directory. */
  holds: string
  /** The worst that a break of it is; a finding may be milder. */
  severity: Severity
}

/**
 * Everything that `db check` looks at. The ids are stable: scripts and documents refer to them.
 * S the SQLite file and its schema, Y the catalog, M records and documents, W the log, H the index files, X the vectors
 * of all of these together, P the machine.
 */
export const INVARIANTS = {
  S1: {holds: "SQLite's own integrity check finds nothing.", severity: 'C'},
  S2: {holds: 'The full-text index agrees with the texts it was made from.', severity: 'E'},
  S3: {
    holds: 'The migrations are those of a known Chroma, in their order and with their hashes.',
    severity: 'E',
  },
  S4: {holds: 'The tables that the migrations make are there.', severity: 'C'},
  S6: {
    holds: 'The row with which Chroma 1.x locks the database is there (acquire_write, id 1).',
    severity: 'W',
  },
  S7: {
    holds: 'No write was left unfinished (a hot journal), and the journal is the one Chroma uses.',
    severity: 'W',
  },
  Y1: {holds: 'Every segment belongs to a collection.', severity: 'W'},
  Y2: {holds: 'Every collection has one METADATA and one VECTOR segment.', severity: 'C'},
  Y3: {holds: 'Every collection is in a database, every database in a tenant.', severity: 'E'},
  Y4: {holds: 'Metadata of collections and segments, and log positions, have an owner.', severity: 'I'},
  Y5: {holds: 'The configuration of every collection can be read.', severity: 'C'},
  Y6: {holds: 'A collection with records knows its dimension.', severity: 'C'},
  Y7: {holds: 'Parameters that an older engine left say the same as those that count.', severity: 'W'},
  M1: {holds: 'Every record belongs to a METADATA segment.', severity: 'W'},
  M2: {holds: 'Every metadata row belongs to a record.', severity: 'E'},
  M3: {holds: 'Every array of metadata belongs to a record.', severity: 'C'},
  M4: {holds: 'No key of a record has both a single value and an array.', severity: 'W'},
  M5: {holds: 'The full-text table has the document of every record, and nothing else.', severity: 'E'},
  M6: {holds: 'Rows of the full-text table are numbered like the records.', severity: 'E'},
  M7: {holds: 'Where full text and records disagree, it is known which side is right.', severity: 'I'},
  M8: {holds: 'The full-text tokenizer is the one that $contains expects (trigram).', severity: 'I'},
  M9: {holds: 'Log positions of records are stored in one way.', severity: 'I'},
  W1: {holds: 'Log positions of segments are stored as the engine reads them.', severity: 'C'},
  W2: {holds: 'Log positions of segments are numbers that a log can reach.', severity: 'C'},
  W3: {holds: 'The log reaches as far as the segments say they have applied it.', severity: 'C'},
  W4: {holds: 'Every topic of the log belongs to a collection.', severity: 'W'},
  W5: {holds: 'Log rows that every segment has applied are deleted.', severity: 'I'},
  W6: {holds: 'No more log rows wait for an index than Chroma lets wait.', severity: 'W'},
  W7: {holds: 'Records are applied at least as far as vectors.', severity: 'E'},
  W8: {holds: 'Every waiting log row can be applied.', severity: 'C'},
  W9: {holds: 'The configuration of the log can be read.', severity: 'E'},
  W10: {holds: 'A Rust engine finds the log position of an index that a Python engine wrote.', severity: 'C'},
  H1: {holds: 'An index that has applied a part of the log has its files.', severity: 'C'},
  H2: {holds: 'Every index folder belongs to a segment.', severity: 'W'},
  H3: {holds: 'An index has all of its files, or was never written.', severity: 'C'},
  H4: {holds: 'header.bin agrees with itself.', severity: 'C'},
  H5: {holds: 'header.bin agrees with the sizes of the other files.', severity: 'C'},
  H6: {holds: 'The vectors of an index have the dimension of its collection.', severity: 'C'},
  H7: {holds: 'An index was built with the parameters of its collection.', severity: 'I'},
  H8: {holds: 'index_metadata.pickle can be read by the engine.', severity: 'C'},
  H9: {holds: 'link_lists.bin has one whole record for each element, and nothing more.', severity: 'C'},
  H10: {holds: 'Every link leads to another element of its level.', severity: 'C'},
  H11: {holds: 'Searches begin at an element of the highest level.', severity: 'C'},
  H12: {holds: 'No two elements have the same label.', severity: 'C'},
  H13: {holds: 'Live elements and ids belong together, one to one.', severity: 'C'},
  H14: {holds: 'Ids and labels refer to each other both ways.', severity: 'C'},
  H15: {holds: 'New vectors get labels that no other has.', severity: 'C'},
  H16: {holds: 'Vectors and norms are numbers, and cosine vectors have length 1.', severity: 'E'},
  H17: {holds: 'Deleted vectors take less than half of an index.', severity: 'W'},
  X1: {
    holds: 'Every record has its vector, in the index or in the log, and every vector its record.',
    severity: 'C',
  },
  X2: {holds: 'Nothing that lies around may hold the last copy of a vector.', severity: 'I'},
  P1: {holds: 'No other process has the directory open.', severity: 'W'},
  P2: {
    holds: 'The directory can be written, is on a disk of this machine, and has room for maintenance.',
    severity: 'W',
  },
  P3: {holds: 'chops may read every file that it looks at.', severity: 'E'},
} as const satisfies Record<string, Invariant>

export type FindingId = keyof typeof INVARIANTS

/** Whether a severity is at least as bad as another. */
export function isAtLeast(severity: Severity, least: Severity): boolean {
  return SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(least)
}
