import {createRequire} from 'node:module'
import type {EngineOptions, Precision} from './engine-protocol.js'

/** A graph under construction in a native library. */
export interface NativeGraph {
  /** Adds a vector for each key, which must be new. */
  add(keys: Uint32Array, vectors: Float32Array): void
  save(path: string): void
}

/** Opens a graph; what loads it, see `LIBRARIES`, throws when the library is missing or not made for this machine. */
export interface NativeLibrary {
  open(options: EngineOptions & {precision: Precision}): NativeGraph
}

// `require` because both libraries find their binary by the path of the calling script, which breaks under `import`.
const require = createRequire(import.meta.url)

function loadUsearch(): NativeLibrary {
  const {Index, MetricKind, ScalarKind} = require('usearch') as typeof import('usearch')
  return {
    open({dimension, efConstruction, M, precision, space, threads}) {
      const index = new Index({
        connectivity: M,
        dimensions: dimension,
        expansion_add: efConstruction,
        expansion_search: efConstruction,
        // The vectors of a cosine index are normalised, so that the product alone orders them.
        metric: space === 'l2' ? MetricKind.L2sq : MetricKind.IP,
        multi: false,
        quantization: precision === 'bf16' ? ScalarKind.BF16 : ScalarKind.F32,
      })
      return {
        add(keys, vectors) {
          index.add(BigUint64Array.from(keys, BigInt), vectors, threads)
        },
        save: (path) => index.save(path),
      }
    },
  }
}

function loadHnswlib(): NativeLibrary {
  const {HierarchicalNSW} = require('hnswlib-node') as typeof import('hnswlib-node')
  return {
    open({dimension, efConstruction, M, maxElements, space}) {
      const index = new HierarchicalNSW(space === 'l2' ? 'l2' : 'ip', dimension)
      index.initIndex(maxElements, M, efConstruction)
      // The library takes nothing but arrays; one that is filled again costs half of a new one for each vector.
      const point = Array.from({length: dimension}, () => 0)
      return {
        add(keys, vectors) {
          let at = 0
          for (const key of keys) {
            for (let i = 0; i < dimension; i++) point[i] = vectors[at++] as number
            index.addPoint(point, key)
          }
        },
        save: (path) => index.writeIndexSync(path),
      }
    },
  }
}

/** How to load each library. */
export const LIBRARIES = {'hnswlib-node': loadHnswlib, usearch: loadUsearch}
