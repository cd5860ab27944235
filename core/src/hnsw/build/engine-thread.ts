/** The thread of an engine process that calls the native library. */
import {parentPort} from 'node:worker_threads'

import type {EngineOptions, EngineReply, EngineRequest} from './engine-protocol.js'

import {LIBRARIES, type NativeGraph, type NativeLibrary} from './native-graph.js'

let opened: {library: NativeLibrary; options: EngineOptions} | undefined
/** Made for the first vectors: only then it is known in what precision they are to be compared. */
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

    opened = {library, options: request.options}
  } else if (request.kind === 'add') {
    const {keys, precision, vectors} = request
    graph ??= opened?.library.open({...opened.options, precision})
    graph?.add(keys, vectors)
  } else graph?.save(request.path)
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
