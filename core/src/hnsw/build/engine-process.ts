/**
 * The process in which a native library builds a graph: see `Engine`. Apart from chops itself, because a native call
 * blocks its process and cannot be interrupted, and because hnswlib answers some inputs with a crash.
 */
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

process.on('message', (request: EngineRequest) => {
  let reply: EngineReply
  try {
    reply = carryOut(request)
  } catch (error) {
    reply = {failed: reasonOf(error)}
  }

  process.send?.(reply)
})
// Ctrl-C reaches all processes of a terminal; the main one decides what it means.
process.on('SIGINT', () => {})
