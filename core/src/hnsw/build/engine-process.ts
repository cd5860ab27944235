/**
 * The process in which a native library builds a graph: see `Engine`. Apart from chops itself, because a native call
 * blocks its process and cannot be interrupted, and because hnswlib answers some inputs with a crash. Apart from the
 * thread that makes these calls, so that the next vectors arrive while the library works on those before.
 */
import {Worker} from 'node:worker_threads'

import type {EngineReply, EngineRequest} from './engine-protocol.js'

/** Seen from the sources as well as from what is compiled from them: a thread runs compiled code alone. */
const THREAD = new URL('../../../dist/hnsw/build/engine-thread.js', import.meta.url)

const thread = new Worker(THREAD, {execArgv: []})
thread.on('message', (reply: EngineReply) => process.send?.(reply))
process.on('message', (request: EngineRequest) => thread.postMessage(request))
// Ctrl-C reaches all processes of a terminal; the main one decides what it means.
process.on('SIGINT', () => {})
// The thread would keep the process, and the graph in its memory, when the main one was killed. An exit would wait for the
// native call.
const end = (): void => {
  process.kill(process.pid, 'SIGKILL')
}

process.on('disconnect', end)
// It may have happened before anybody listened.
if (!process.connected) end()
