/** The thread of an engine process that calls the native library. */
import {parentPort} from 'node:worker_threads'

import type {EngineReply, EngineRequest} from './engine-protocol.js'

import {LIBRARIES, type NativeGraph, type NativeLibrary} from './native-graph.js'

let graph: NativeGraph | undefined

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function carryOut(request: EngineRequest): EngineReply {
  if (request.kind === 'open') {
    let library: NativeLibrary
    try {
      library = LIBRARIES[request.options.engine]()
    } catch (error) {
      return {unavailable: reasonOf(error)}
    }

    graph = library.open(request.options)
  } else if (request.kind === 'add') graph?.add(request.keys, request.vectors)
  else graph?.save(request.path)
  return {}
}

parentPort?.on('message', (request: EngineRequest) => {
  let reply: EngineReply
  try {
    reply = carryOut(request)
  } catch (error) {
    reply = {failed: reasonOf(error)}
  }

  parentPort?.postMessage(reply)
})
