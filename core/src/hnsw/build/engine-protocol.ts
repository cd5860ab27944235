import type {Space} from '../../catalog/hnsw-parameters.js'

/** The native libraries that build HNSW graphs. */
export type EngineName = 'hnswlib-node' | 'usearch'

/** In what usearch compares vectors while it builds; what it stores is not used, see `convertUsearchFile`. */
export type Precision = 'bf16' | 'f32'

export interface EngineOptions {
  dimension: number
  efConstruction: number
  engine: EngineName
  M: number
  maxElements: number
  space: Space
  threads: number
}

/** What the main process asks of an engine process; each request gets one reply, in order. */
export type EngineRequest =
  | {keys: Uint32Array; kind: 'add'; precision: Precision; vectors: Float32Array}
  | {kind: 'open'; options: EngineOptions}
  | {kind: 'save'; path: string}

export interface EngineReply {
  /** Why the request failed. */
  failed?: string
  /** Why the native library cannot be loaded on this machine. */
  unavailable?: string
}
