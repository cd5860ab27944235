import {type ChopsError, damaged} from '../errors.js'
import type {ScanOptions} from './files.js'
import {IdTable} from './id-table.js'
import {LabelSet} from './label-set.js'
import {OPAQUE, type PickleEntry, type PickleScalar, type PickleText} from './pickle-machine.js'
import {readPickle} from './pickle.js'

/** The file of a segment folder that says which id has which label; absent until an index is first persisted. */
export const INDEX_METADATA_FILE = 'index_metadata.pickle'

/** The class that Chroma pickled until 0.6.3; the module has had this name since 0.4.0. */
export const PERSISTENT_DATA = {
  module: 'chromadb.segment.impl.vector.local_persistent_hnsw',
  name: 'PersistentData',
} as const

/**
 * How the file is pickled: as the object that the Python engine (0.4.0 to 0.6.3) writes and needs, or as the dict of the
 * Rust engine (from 1.0), which reads both.
 */
export type IndexMetadataForm = 'dict' | 'PersistentData'

interface Counters {
  /** Null in every file that the Rust engine began: it never sets it. */
  dimensionality: null | number
  /** The last label that was given out; the next is one more. */
  totalElementsAdded: number
  /**
   * How far the log is in the index, up to 0.5.5. Later engines only move it to the table `max_seq_id` when that has no
   * row, and keep it as it was from then on; so the table counts. Undefined where the engine never had it, null in dicts.
   */
  maxSeqId: null | number | undefined
}

interface Found {
  form: IndexMetadataForm
  /** Bytes after the end of the pickle. */
  trailingBytes: number
}

/** What the file says about labels, without its ids. */
export interface IndexMetadataSummary extends Counters, Found {
  /** Entries of id_to_label. */
  labelCount: number
  /** The values of id_to_label: the labels that an id owns. */
  labels: LabelSet
}

/** What is written back; label_to_id is the inverse of `idToLabel`. */
export interface IndexMetadataContent extends Counters {
  idToLabel: Map<string, number>
  /**
   * The log position of an id's last write. No engine uses the number, but until 0.6.3 an id without one cannot be
   * deleted (nor read, in 0.4). The Rust engine carries it along and never changes it, so it may know ids long deleted.
   */
  idToSeqId: Map<string, number>
}

interface Comparison {
  /** How label_to_id compares with id_to_label. */
  labelToId: {
    entries: number
    /** Entries whose id has that label in id_to_label. */
    matching: number
  }
  /** The values of id_to_label: the labels that an id owns. Fewer than ids where some share one. */
  labels: LabelSet
  /** Entries of id_to_label for an id that had one before. */
  repeatedIds: number
}

/** The whole file. */
export interface IndexMetadata extends Comparison, Found, IndexMetadataContent {}

/** The whole file with fingerprints in the place of ids, and without their seq ids: for an index of any size. */
export interface IndexMetadataDigest extends Comparison, Counters, Found {
  idToLabel: IdTable
}

/** One broken rule of the file; `file` and `what` together read as a sentence. */
export interface IndexMetadataProblem {
  file: typeof INDEX_METADATA_FILE
  /**
   * H8 the file is a pickle that every engine reads, H14 id_to_label and label_to_id are inverse bijections,
   * H15 total_elements_added is at least the largest label.
   */
  id: 'H14' | 'H15' | 'H8'
  what: string
}

/** What to do with the ids: only check them, keep fingerprints of them (about 50 bytes an id), or keep them. */
export type IdMode = 'fingerprints' | boolean

/** What `onId` gets: each entry of id_to_label, for a caller that looks for some ids. */
export type OnId = (id: string, label: number) => void

/**
 * Reads `index_metadata.pickle` (chroma-core/chroma `chromadb/segment/impl/vector/local_persistent_hnsw.py`, class
 * PersistentData, and `rust/segment/src/local_hnsw.rs`, struct IdMap). Nothing in it is executed.
 *
 * With `ids: false` the ids are only checked, and the memory taken is about 16 bytes per id. `onId` gets each of them.
 * Fields that Chroma does not know are passed over, as it does.
 *
 * @throws ChopsError `damaged` when it cannot be read, is truncated, holds anything but what Chroma writes, or lacks a
 * field (H8)
 */
export async function readIndexMetadata(
  file: string,
  options: ScanOptions & {ids: false},
): Promise<IndexMetadataSummary>
export async function readIndexMetadata(
  file: string,
  options: ScanOptions & {ids: true},
): Promise<IndexMetadata>
export async function readIndexMetadata(
  file: string,
  options: ScanOptions & {ids: 'fingerprints'; onId?: OnId},
): Promise<IndexMetadataDigest>
export async function readIndexMetadata(
  file: string,
  {ids, onId, ...options}: ScanOptions & {ids: IdMode; onId?: OnId},
): Promise<IndexMetadata | IndexMetadataDigest | IndexMetadataSummary> {
  const values = new Values(file)
  const maps = collectorFor(ids, values, onId)
  const numbers = new Map<string, null | number>()
  const seen = new Set<string>()
  const once = (name: string) => {
    if (seen.has(name)) throw values.failure(`states ${name} twice`)
    seen.add(name)
  }

  const end = await readPickle(
    file,
    {
      dict(name) {
        if (isOneOf(COUNTERS, name)) throw values.failure(`holds a dict as ${name}`)
        if (!isOneOf(MAPS, name)) return () => {}
        once(name)
        return maps.entries[name]
      },
      scalar(name, value) {
        if (isOneOf(MAPS, name)) throw values.failure(`holds no dict as ${name}`)
        if (!isOneOf(COUNTERS, name)) return
        once(name)
        numbers.set(name, value === null ? null : values.number(name, value))
      },
    },
    {...options, className: PERSISTENT_DATA, keepTexts: ids !== false, names: [...COUNTERS, ...MAPS]},
  )

  for (const name of MAPS) if (!seen.has(name)) throw values.failure(`lacks ${name}`)
  const totalElementsAdded = numbers.get('total_elements_added') ?? undefined
  if (totalElementsAdded === undefined) throw values.failure('lacks total_elements_added')
  return {
    dimensionality: numbers.get('dimensionality') ?? null,
    form: end.isObject ? 'PersistentData' : 'dict',
    maxSeqId: numbers.get('max_seq_id'),
    totalElementsAdded,
    trailingBytes: end.trailingBytes,
    ...maps.result(),
  }
}

/** What is wrong with a file that could be read: its parts against each other, and what only some engines read. */
export function indexMetadataProblems(metadata: IndexMetadata | IndexMetadataDigest): IndexMetadataProblem[] {
  const {idToLabel, labels, labelToId, repeatedIds, totalElementsAdded, trailingBytes} = metadata
  const problems: IndexMetadataProblem[] = []
  const check = (id: IndexMetadataProblem['id'], holds: boolean, what: string) => {
    if (!holds) problems.push({file: INDEX_METADATA_FILE, id, what})
  }

  const {entries, matching} = labelToId
  const inverse = entries === idToLabel.size && matching === entries
  check(
    'H8',
    trailingBytes === 0,
    `has ${trailingBytes} bytes after its end, with which Chroma from 1.0 refuses it`,
  )
  check('H14', repeatedIds === 0, `states ${repeatedIds} of its ids more than once in id_to_label`)
  check(
    'H14',
    labels.size === idToLabel.size,
    `gives ${idToLabel.size - labels.size} of its ids the label of another one`,
  )
  check(
    'H14',
    inverse,
    `has ${idToLabel.size} ids in id_to_label, but ${matching} of the ${entries} entries of label_to_id agree with it`,
  )
  check(
    'H15',
    totalElementsAdded >= labels.max,
    `counts ${totalElementsAdded} elements added, but has a label ${labels.max}: new vectors would land on old ones`,
  )
  return problems
}

/** The last label that was given out, also where the count lags behind the labels (H15) and would give out one again. */
export function lastLabel({
  labels,
  totalElementsAdded,
}: Pick<IndexMetadataSummary, 'labels' | 'totalElementsAdded'>): number {
  return Math.max(totalElementsAdded, labels.max)
}

const COUNTERS = ['dimensionality', 'total_elements_added', 'max_seq_id'] as const
const MAPS = ['id_to_label', 'label_to_id', 'id_to_seq_id'] as const

/** V8 makes no larger Map. */
const MAX_IDS = 2 ** 24 - 1

function isOneOf<Name extends string>(names: readonly Name[], name: string): name is Name {
  return (names as readonly string[]).includes(name)
}

/** What takes the entries of the three dicts, and what they come to. */
interface Collector<Result> {
  entries: Record<(typeof MAPS)[number], PickleEntry>
  result(): Result
}

function collectLabels(values: Values): Collector<Pick<IndexMetadataSummary, 'labelCount' | 'labels'>> {
  const labels = new LabelSet()
  let labelCount = 0
  return {
    entries: {
      id_to_label(id, label) {
        values.text('an id', id)
        labels.add(values.number('a label', label))
        labelCount += 1
      },
      id_to_seq_id(id, seqId) {
        values.text('an id', id)
        values.number('a seq id', seqId)
      },
      label_to_id(label, id) {
        values.number('a label', label)
        values.text('an id', id)
      },
    },
    result: () => ({labelCount, labels}),
  }
}

/** Which of the three ways to take the ids. */
function collectorFor(
  ids: IdMode,
  values: Values,
  onId: OnId | undefined,
): Collector<
  | (Comparison & {idToLabel: IdTable})
  | (Comparison & Pick<IndexMetadata, 'idToLabel' | 'idToSeqId'>)
  | Pick<IndexMetadataSummary, 'labelCount' | 'labels'>
> {
  if (ids === false) return collectLabels(values)
  if (ids === 'fingerprints') return collectIds(values, new IdTable(), undefined, onId)
  const idToSeqId = new Map<string, number>()
  const {entries, result} = collectIds(values, new Map<string, number>(), idToSeqId, onId)
  return {entries, result: () => ({...result(), idToSeqId})}
}

function collectIds<M extends IdTable | Map<string, number>>(
  values: Values,
  idToLabel: M,
  idToSeqId: Map<string, number> | undefined,
  onId: OnId | undefined,
): Collector<Comparison & {idToLabel: M}> {
  const labelToId = {entries: 0, matching: 0}
  const early = {ids: [] as string[], labels: [] as number[]}
  let idEntries = 0
  const set = (map: IdTable | Map<string, number>, key: PickleScalar, value: number): string => {
    if (map.size === MAX_IDS && map instanceof Map)
      throw values.failure(`holds more than ${MAX_IDS} ids, the most that chops can work on`)
    const id = values.keptText('an id', key)
    map.set(id, value)
    return id
  }

  const compare = (label: number, id: string) => {
    labelToId.entries += 1
    if (idToLabel.get(id) === label) labelToId.matching += 1
  }

  return {
    entries: {
      id_to_label(key, value) {
        const label = values.number('a label', value)
        const id = set(idToLabel, key, label)
        onId?.(id, label)
        idEntries += 1
      },
      id_to_seq_id(key, value) {
        const seqId = values.number('a seq id', value)
        if (idToSeqId) set(idToSeqId, key, seqId)
        else values.text('an id', key)
      },
      label_to_id(key, value) {
        const label = values.number('a label', key)
        const id = values.keptText('an id', value)
        // Every engine writes id_to_label first, but a dict has no order that a tool would have to keep.
        if (idToLabel.size > 0) return compare(label, id)
        early.labels.push(label)
        early.ids.push(id)
      },
    },
    result() {
      for (const [index, id] of early.ids.entries()) compare(early.labels[index] ?? 0, id)
      const labels = new LabelSet()
      for (const label of idToLabel.values()) labels.add(label)
      return {idToLabel, labels, labelToId, repeatedIds: idEntries - idToLabel.size}
    },
  }
}

/** The checks of single values, whose errors name the file. */
class Values {
  constructor(private readonly file: string) {}

  failure(what: string): ChopsError {
    return damaged(`${this.file} ${what}.`, {file: this.file, next: 'Put the file back from a backup.'})
  }

  number(what: string, value: PickleScalar): number {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
    throw this.failure(`holds as ${what} something other than an integer from 0 to 2^53 - 1`)
  }

  text(what: string, value: PickleScalar): PickleText {
    if (typeof value === 'string' || value === OPAQUE) return value
    throw this.failure(`holds as ${what} something other than a text`)
  }

  keptText(what: string, value: PickleScalar): string {
    const text = this.text(what, value)
    if (text === OPAQUE) throw new Error('an id was read without its text')
    return text
  }
}
