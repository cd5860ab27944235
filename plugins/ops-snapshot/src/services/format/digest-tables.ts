import type {Database} from '@chops/core/sqlite'
import {once} from 'node:events'
import {stat} from 'node:fs/promises'
import {availableParallelism} from 'node:os'
import {Worker} from 'node:worker_threads'

import type {DigestAnswer, DigestJob, DigestQuestion} from './digest-thread.js'
import {digestTable, type TableDigest} from './table-hash.js'
import {TABLE_NAMES, type TableName} from './tables.js'

/** A file of fewer bytes is done before a thread has started. */
const WORTH_THREADS = 64 * 1024 * 1024

/** The tables that grow with a collection are three. */
const MOST_THREADS = 3

/** Seen from the sources as well as from what is compiled from them: a thread runs compiled code alone. */
const THREAD = new URL('../../../dist/services/format/digest-thread.js', import.meta.url)

/**
 * The checksums of all tables, of a large file on several cores.
 *
 * Memory: as `digestTable`, for up to three at a time.
 *
 * @param db whose file nobody changes meanwhile, unless by adding to it
 * @param version of the format
 */
export async function digestTables(
  db: Pick<Database, 'all' | 'file'>,
  version: number,
  signal?: AbortSignal,
): Promise<Map<TableName, TableDigest>> {
  const digests = new Map<TableName, TableDigest>()
  const {file} = db
  if ((await stat(file)).size >= WORTH_THREADS) await digestInThreads({file, version}, digests, signal)
  // What a thread has failed at is done again here, where an error says what is wrong.
  for (const name of TABLE_NAMES) {
    if (!digests.has(name)) digests.set(name, await digestTable(db, name, version, signal))
  }

  return digests
}

async function digestInThreads(
  job: DigestJob,
  digests: Map<TableName, TableDigest>,
  signal: AbortSignal | undefined,
): Promise<void> {
  // The tables that grow come last in the format, and are to begin first.
  const names = TABLE_NAMES.toReversed().values()
  const work = async (): Promise<void> => {
    const thread = new Worker(THREAD, {execArgv: [], workerData: job})
    // Fails with the thread, also when nothing waits for an answer.
    const ended = once(thread, 'exit')
    ended.catch(() => {})
    try {
      for (const name of names) {
        tell(thread, {name})
        const [{digest}] = (await once(thread, 'message', {signal})) as [DigestAnswer]
        if (digest) digests.set(name, digest)
      }
    } finally {
      tell(thread, 'stop')
      await ended
    }
  }

  const threads = Math.min(availableParallelism(), MOST_THREADS)
  await Promise.allSettled(Array.from({length: threads}, work))
  signal?.throwIfAborted()
}

function tell(thread: Worker, question: DigestQuestion): void {
  thread.postMessage(question)
}
