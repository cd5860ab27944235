/** Writes a file in each kind of process and thread: `many-hands.mjs FILE`. */
import {fork} from 'node:child_process'
import {once} from 'node:events'
import {unlink, writeFile} from 'node:fs/promises'
import process from 'node:process'
import {isMainThread, Worker, workerData} from 'node:worker_threads'

const [file, role] = isMainThread ? process.argv.slice(2) : workerData
if (role === undefined) {
  await writeFile(file, 'main')
  await once(new Worker(new URL(import.meta.url), {workerData: [file, 'thread']}), 'exit')
  await once(fork(process.argv[1], [file, 'child']), 'exit')
  await unlink(file)
} else await writeFile(`${file}.${role}`, role)
