/** A thread that takes checksums of tables: see `digestTables`. */
import {openCommitted} from '@chops/core/sqlite'
import {parentPort, workerData} from 'node:worker_threads'

import {digestTable, type TableDigest} from './table-hash.js'
import type {TableName} from './tables.js'

/** What a thread works on. */
export interface DigestJob {
  file: string
  /** Of the format. */
  version: number
}

/** A table, whose checksum is the answer, or to stop. */
export type DigestQuestion = 'stop' | {name: TableName}

/** Empty where that failed. */
export interface DigestAnswer {
  digest?: TableDigest
}

const {file, version} = workerData as DigestJob
const db = await openCommitted({file})
const interruption = new AbortController()

async function answer(name: TableName): Promise<void> {
  const answered: DigestAnswer = await digestTable(db, name, version, interruption.signal).then(
    (digest) => ({digest}),
    () => ({}),
  )
  parentPort?.postMessage(answered)
}

async function stop(): Promise<void> {
  interruption.abort()
  await db.close()
  parentPort?.close()
}

parentPort?.on('message', (question: DigestQuestion) => {
  if (question === 'stop') stop()
  else answer(question.name)
})
