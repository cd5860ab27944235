import {existsSync} from 'node:fs'
import {join} from 'node:path'

import type {Expected} from '../fixtures.js'
import type {Ending, Visit} from './explore.js'

import {
  type CollectionState,
  folderFingerprint,
  type PersistState,
  readPersistState,
  replay,
  rowsBetween,
  type Vectors,
} from './persist-state.js'

export interface Circumstances {
  /** The directory before the command. */
  before: PersistState
  /** Every record, as the engine that wrote the directory answers. */
  expected: Expected
  /** The command changes one thing, so that an error has to mean that it did not. */
  isSingleChange?: boolean
}

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/
const BACKUP = /^([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})_backup_\d{14}$/

/** The folder of an orphan or a backup that `db clean` had begun to remove; the next one finds it. */
const TRASH = /^\.chops-trash-/

/** A journal to which SQLite had not committed anything yet is not hot: it stays until the next writer comes. */
const JOURNAL = 'chroma.sqlite3-journal'

/** What f32 loses when a vector is normalised and multiplied by its norm again. */
const NORMALISED = 1e-6

/**
 * What must hold after any kill, fault or success of a command that works on log and index, and does not: sentences,
 * none when all is well. Everything is read off the files; recovers the database, as the next opening would.
 */
export async function brokenInvariants(
  persistDir: string,
  visit: Pick<Visit, 'ending' | 'kind' | 'point'>,
  {before, expected, isSingleChange = false}: Circumstances,
): Promise<string[]> {
  const after = await readPersistState(persistDir)
  return [
    // What the engine left broken may stay so.
    ...after.problems.filter((problem) => !before.problems.includes(problem)),
    ...untouchedProblems(before, after),
    ...logProblems(before, after),
    ...[...before.collections].flatMap(([id, old]) =>
      indexProblems(persistDir, old, after.collections.get(id), before),
    ),
    ...recordProblems(after, expected),
    ...entryProblems(persistDir, before, after, visit.ending),
    ...(isSingleChange ? truthProblems(before, after, visit) : []),
  ]
}

/** Every record that the engine had is there with its vector, in the index or in the log, and no other is. */
export function recordProblems(state: PersistState, expected: Expected): string[] {
  return expected.collections.flatMap(({id, name, records}) => {
    const collection = state.collections.get(id)
    if (!collection) return [`the collection ${name} is gone`]
    const wanted = new Map(records.map((record) => [record.id, vectorOf(record.embedding_b64)]))
    const there = replay(collection.indexed, rowsBetween(state.log, collection.topic, collection.applied))
    return differences(there, wanted, collection.space === 'cosine').map(
      (what) => `${collection.name}: index and log together ${what}`,
    )
  })
}

function untouchedProblems(before: PersistState, after: PersistState): string[] {
  return [...before.untouched]
    .filter(([what, digest]) => after.untouched.get(what) !== digest)
    .map(([what]) => `the ${what} changed`)
}

/** A row may go only when every segment has applied it or nobody owns it, and never the highest. */
function logProblems(before: PersistState, after: PersistState): string[] {
  const problems: string[] = []
  const applied = new Map(
    [...after.collections.values()].map((state) => [
      state.topic,
      Math.min(state.applied, state.appliedInMetadata),
    ]),
  )
  const highest = [...before.log.keys()].at(-1)
  if (highest !== undefined && !after.log.has(highest))
    problems.push(`the highest log row ${highest} is gone`)
  for (const [seqId, {digest, topic}] of before.log) {
    const now = after.log.get(seqId)
    if (!now && seqId > (applied.get(topic) ?? Infinity))
      problems.push(`the pending log row ${seqId} is gone`)
    if (now && now.digest !== digest) problems.push(`the log row ${seqId} changed`)
  }

  for (const seqId of after.log.keys()) {
    if (!before.log.has(seqId)) problems.push(`the log has a new row ${seqId}`)
  }

  return problems
}

/** The old index is in force to the byte, or a new one that holds exactly what the log says up to where it claims. */
function indexProblems(
  persistDir: string,
  old: CollectionState,
  now: CollectionState | undefined,
  before: PersistState,
): string[] {
  if (!now) return [`${old.name} is gone`]
  const problems: string[] = []
  const complain = (what: string): void => {
    problems.push(`${old.name}: ${what}`)
  }

  if (now.applied < old.applied) complain(`the index went back from log row ${old.applied} to ${now.applied}`)
  if (now.folder === old.folder && now.fingerprint !== old.fingerprint)
    complain('the index was changed in place')
  const log = rowsBetween(before.log, old.topic, old.applied, now.applied)
  const cosine = now.space === 'cosine' || old.space === 'cosine'
  for (const what of differences(now.indexed, replay(old.indexed, log), cosine)) {
    complain(`the index up to log row ${now.applied} ${what}`)
  }

  if (now.folder !== old.folder && old.folder !== undefined) {
    const left = join(persistDir, old.folder)
    if (now.fingerprint === undefined) complain('the folder of the new index is missing')
    if (existsSync(left) && old.fingerprint !== undefined && now.fingerprint === undefined) {
      complain('the old folder has no owner although there is no new one')
    }
  }

  return problems
}

/** Nothing lies around but what a kill may leave: a folder for `db clean`; an error and Ctrl-C leave nothing. */
function entryProblems(
  persistDir: string,
  before: PersistState,
  after: PersistState,
  ending: Ending,
): string[] {
  const owned = new Set([...after.collections.values()].map(({folder}) => folder))
  const oldFolders = new Map(
    [...before.collections.values()].map((state) => [state.folder, state.fingerprint]),
  )
  const old = new Set(before.entries)
  const mayBeHidden = before.entries.filter((name) => !oldFolders.has(name) && !before.orphans.includes(name))
  return after.entries.flatMap((name) => {
    if (owned.has(name) || mayBeHidden.includes(name)) return []
    if (TRASH.test(name) && ending !== 'done' && after.orphans.includes(name)) return []
    if (UUID.test(name)) {
      return [
        ...(old.has(name) || ending === 'killed' ? [] : [`the new folder ${name} is left without an owner`]),
        ...(after.orphans.includes(name)
          ? []
          : [`the folder ${name} is left where db clean does not see it`]),
      ]
    }

    const backupOf = BACKUP.exec(name)?.[1]
    if (backupOf === undefined) return ending === 'killed' && name === JOURNAL ? [] : [`${name} is left`]
    const isWhole = folderFingerprint(join(persistDir, name)) === oldFolders.get(backupOf)
    return isWhole ? [] : [`${name} is not what the folder was before`]
  })
}

/** An error that is reported says that the old index is in force; only SQLite can be wrong about its own commit. */
function truthProblems(
  before: PersistState,
  after: PersistState,
  {ending, kind, point}: Pick<Visit, 'ending' | 'kind' | 'point'>,
): string[] {
  const isDoubtful = kind === 'EIO after' && point?.detail === 'COMMIT'
  if (ending !== 'failed' || kind === 'SIGINT' || isDoubtful) return []
  return [...before.collections]
    .filter(([id, {folder}]) => after.collections.get(id)?.folder !== folder)
    .map(([, {name}]) => `it reports an error although the new index of ${name} is in force`)
}

function vectorOf(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64')
  return new Float32Array(Uint8Array.from(bytes).buffer)
}

/** Sentences that go on after a subject. */
function differences(there: Vectors, wanted: Vectors, cosine: boolean): string[] {
  const missing = [...wanted.keys()].filter((id) => !there.has(id))
  const extra = [...there.keys()].filter((id) => !wanted.has(id))
  const other = [...wanted].filter(([id, vector]) => {
    const found = there.get(id)
    return found && !isSame(found, vector, cosine ? NORMALISED : 0)
  })
  return [
    ...(missing.length > 0 ? [`lack ${idsText(missing)}`] : []),
    ...(extra.length > 0 ? [`have ${idsText(extra)} too many`] : []),
    ...(other.length > 0 ? [`have another vector for ${idsText(other.map(([id]) => id))}`] : []),
  ]
}

function idsText(ids: string[]): string {
  return `${ids.length} ids (first ${ids[0]})`
}

/** Equal to the byte, or up to a part of the vector's norm. */
function isSame(a: Float32Array, b: Float32Array, tolerance: number): boolean {
  if (a.length !== b.length) return false
  if (tolerance === 0) return bytesOf(a).equals(bytesOf(b))
  const largest = tolerance * Math.hypot(...b)
  return a.every((value, i) => Math.abs(value - (b[i] ?? Number.NaN)) <= largest)
}

function bytesOf({buffer, byteLength, byteOffset}: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
