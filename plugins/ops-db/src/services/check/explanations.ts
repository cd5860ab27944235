import type {Finding} from './finding.js'
import type {FindingId} from './invariants.js'

/** An error text of Chroma, of Python or of the system that users meet, and what it comes from. */
export interface Explanation {
  /** What causes it, in the words of the person who has it. */
  cause: string
  /** The text as it is usually seen. */
  error: string
  /** Findings of `db check` that cause it. */
  findings: FindingId[]
  /** What to do. */
  next: string
  pattern: RegExp
}

/** In the order of how much users suffer from them. docs/troubleshooting.md is made from this table. */
export const EXPLANATIONS: readonly Explanation[] = [
  {
    cause:
      'The native library that loads an index believes every number in its files. One that is wrong (a link out of the index, a count that is too large) makes it read memory that is not there, and the whole process dies. Chroma 1.x also dies when it applies log rows a second time to an index that a Python engine wrote.',
    error: 'Segmentation fault (exit code 139, SIGSEGV)',
    findings: ['H4', 'H5', 'H8', 'H9', 'H10', 'H11', 'W10'],
    next: 'The check names the file. "chops hnsw rebuild" makes a new index from the vectors, which nearly always survive.',
    pattern: /segmentation fault|sigsegv|\b139\b|\bsegfault|0xc0000005|access violation/i,
  },
  {
    cause:
      'Chroma gives this one text for whatever is wrong while it loads an index: a missing or a shortened file, a header that contradicts itself, an id map that cannot be read.',
    error: 'Error loading hnsw index',
    findings: ['H3', 'H4', 'H5', 'H8', 'H9', 'H10', 'H11'],
    next: 'The check names the file and what is wrong with it.',
    pattern: /error (?:loading|constructing|creating) hnsw|hnswindexloaderror|failed to load (?:the )?hnsw/i,
  },
  {
    cause:
      'A record is there, but its vector is neither in the index nor in the log: its folder was moved away, the log was purged too early, or the two disagree after a crash.',
    error: 'Error finding id',
    findings: ['H1', 'H13', 'X1', 'W2', 'W3', 'W7'],
    next: 'Do not delete any folder. See which records are concerned with "--verbose"; their vectors have to come from a backup, or to be embedded again.',
    pattern: /error finding id|id .{1,80} not found in (?:the )?index/i,
  },
  {
    cause:
      'link_lists.bin has run away: a number in it was taken for a length that nothing bounds. On the disk it may take less than it shows.',
    error: 'No space left on device (link_lists.bin of many GB or TB)',
    findings: ['H9', 'P2'],
    next: 'Do not copy the file. "chops hnsw rebuild" makes a new index of the right size from the vectors.',
    pattern: /link_lists|no space left on device|\benospc\b/i,
  },
  {
    cause:
      'A process was killed while it wrote the full-text index. That index is made from the documents and can be made anew; only rarely are rows of the database itself damaged as well.',
    error: 'malformed inverted index for FTS5 table',
    findings: ['S2', 'M5', 'M6', 'M7'],
    next: '"chops fts rebuild" makes it anew from the documents.',
    pattern: /malformed inverted index|fts5|fts_/i,
  },
  {
    cause:
      'SQLite found pages that contradict each other: the full-text index after a killed process (which can be made anew), or the file itself after a disk error or a copy of a database in use.',
    error: 'database disk image is malformed',
    findings: ['S1', 'S2', 'M5', 'M7'],
    next: 'The check tells the two apart.',
    pattern: /disk image is malformed|\bsqlite_corrupt\b|file is not a database/i,
  },
  {
    cause:
      'A table is missing: a process died while it made it, or the migrations that make it were never applied.',
    error: 'no such table: embedding_fulltext_search',
    findings: ['S3', 'S4'],
    next: 'The full-text table can be made anew with "chops fts rebuild"; for any other restore chroma.sqlite3 from a backup.',
    pattern: /no such table/i,
  },
  {
    cause:
      'The position of a segment in the log is stored in the form of another engine: Chroma 1.x wants a number and finds bytes.',
    error: 'mismatched types; Rust type `u64` (as SQL type `INTEGER`) is not compatible with SQL type `BLOB`',
    findings: ['W1'],
    next: 'The check decodes the value exactly; do not set it by hand.',
    pattern: /mismatched types/i,
  },
  {
    cause:
      'Writes succeed, but count() does not move and get() finds nothing: Chroma passes over rows of the log up to the position that a segment says it has applied, and that position is beyond the end of the log. An upgrade over a changed table made it huge, or the log was emptied and its numbering began again.',
    error: 'new records are silently dropped',
    findings: ['W2', 'W3', 'Y6', 'W8'],
    next: 'Do not write more until it is repaired: what is added now is lost.',
    pattern:
      /silently (?:dropped|lost|ignored)|count\(\) (?:does not|doesn't|stays)|writes? (?:are|is) (?:dropped|lost|ignored)/i,
  },
  {
    cause:
      'Chroma 1.x cannot read a row of the log that waits for the index. Most often an upgrade brought it: Chroma up to 0.6 takes NaN and infinities as metadata (pandas gives NaN for a missing value), which is no JSON.',
    error: 'Failed to pull logs from the log store',
    findings: ['W8'],
    next: 'Nothing is lost: "chops wal commit" brings the vectors into the index, and Chroma reads on behind those rows.',
    pattern: /failed to pull logs/i,
  },
  {
    cause:
      'A newer Chroma has migrated the directory, and this one is too old to open it. There is no way back.',
    error: 'range start index 10 out of range for slice of length 9',
    findings: ['S3'],
    next: 'Open it with the Chroma that the check names, or a newer one.',
    pattern:
      /range start index|out of range for slice|inconsistent (?:version|hash)|unapplied migrations|migration/i,
  },
  {
    cause:
      'The client and the directory, or the client and the server, are of different generations: a configuration lacks what the other expects.',
    error: "KeyError: '_type'",
    findings: ['S3', 'Y5', 'W9'],
    next: 'Use the same version of Chroma everywhere, at least the one that the check names.',
    pattern: /keyerror.{0,6}_type|'_type'/i,
  },
  {
    cause:
      'The index found fewer vectors than were asked for: too many of them are deleted or cannot be reached, ef is too small, or a filter leaves too few.',
    error: 'Cannot return the results in a contigious 2D array. Probably ef or M is too small',
    findings: ['H11', 'H17'],
    next: '"chops hnsw rebuild" gets rid of deleted vectors and makes a better graph with a larger --m; "chops hnsw config" raises --search-ef. "--verbose" measures what searches can reach.',
    pattern: /contigi?uous 2d array|ef or m is too small/i,
  },
  {
    cause:
      'index_metadata.pickle, which says which vector belongs to which id, was cut while it was written.',
    error: 'EOFError: Ran out of input (or: pickle data was truncated)',
    findings: ['H8'],
    next: 'Put the file back from a backup: the vectors are there, but not whose they are.',
    pattern: /ran out of input|pickle data was truncated|unpickling ?error|invalid load key/i,
  },
  {
    cause: 'A newer Chroma wrote index_metadata.pickle as a dict, and the Python engine expects an object.',
    error: "'dict' object has no attribute 'dimensionality'",
    findings: ['H8', 'S3'],
    next: 'Open the directory with Chroma 1.x again.',
    pattern: /'dict' object has no attribute/i,
  },
  {
    cause: 'A segment says that it was written to the disk, but its folder or its id map is not there.',
    error: 'Nothing found on disk',
    findings: ['H1', 'H3'],
    next: 'Put the folder back if somebody moved it away; the check lists folders with a similar name.',
    pattern: /nothing found on disk/i,
  },
  {
    cause:
      "SQLite's temporary files or a VACUUM did not fit, in the folder of the database or in that for temporary files.",
    error: 'database or disk is full',
    findings: ['P2'],
    next: 'Make room, or set SQLITE_TMPDIR to a folder on a larger disk.',
    pattern: /database or disk is full|\bsqlite_full\b/i,
  },
  {
    cause: 'The process may not write the file or its folder, or the disk is mounted read-only.',
    error: 'attempt to write a readonly database',
    findings: ['P2', 'S7'],
    next: 'Run Chroma as the owner of the directory, and check how the disk is mounted.',
    pattern: /readonly database|read-only file system|permission denied/i,
  },
  {
    cause:
      'Another process writes to the directory, or died in the middle of it; on a network disk the locks may not work.',
    error: 'database is locked',
    findings: ['P1', 'P2', 'S6', 'S7'],
    next: 'Let only one process open the directory; several clients belong behind a Chroma server.',
    pattern: /database is locked|\bsqlite_busy\b/i,
  },
  {
    cause:
      'A collection takes its dimension from its first vector, and this one was made by another embedding model.',
    error: 'Embedding dimension 384 does not match collection dimensionality 1536',
    findings: ['H6', 'W8', 'Y6'],
    next: 'Use the model that the collection was made with, or make a new collection. "chops db info" shows the dimension.',
    pattern:
      /dimension(?:ality)?\b.{0,40}(?:does not|doesn't|didn't) match|expecting embedding with dimension|dimension mismatch/i,
  },
  {
    cause:
      'The tenant or the database of the collections is missing from its table, or the tables are not there at all.',
    error: 'Could not connect to tenant default_tenant. Are you sure it exists?',
    findings: ['Y3', 'S1', 'S4'],
    next: 'The check says which row is missing.',
    pattern: /could not connect to (?:tenant|database)|tenant .{0,80} not found/i,
  },
  {
    cause:
      'Another program opened chroma.sqlite3 with foreign keys switched on. Chroma refers to a table "collection" that does not exist and switches them off; nothing is wrong with the directory.',
    error: 'no such table: main.collection (FOREIGN KEY constraint failed)',
    findings: [],
    next: 'Run "PRAGMA foreign_keys = OFF" first in that program, and do not go by PRAGMA foreign_key_check.',
    pattern: /main\.collection\b|foreign key/i,
  },
]

/** An explanation together with what it comes from in the directory at hand. */
export interface ExplainedError extends Pick<Explanation, 'cause' | 'error' | 'next'> {
  /** Ids of findings that can cause it. */
  causes: FindingId[]
  /** Those of them that were found. */
  found: FindingId[]
}

/** What the texts of an error come from; none for an error that is not known. The most particular one comes first. */
export function explain(text: string, findings: readonly Finding[]): ExplainedError[] {
  return EXPLANATIONS.filter(({pattern}) => pattern.test(text)).map(
    ({cause, error, findings: causes, next}) => ({
      cause,
      causes,
      error,
      found: causes.filter((id) => findings.some((one) => one.id === id && one.severity !== 'I')),
      next,
    }),
  )
}
