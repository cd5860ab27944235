import {writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {buildIndex, type BuildOptions, type BuiltIndex} from '../../../core/src/hnsw/build/build-index.js'
import {elementsForSpace, type IndexElements} from '../../../core/src/hnsw/build/elements.js'
import type {EngineName} from '../../../core/src/hnsw/build/engine-protocol.js'
import type {Space} from '../../../core/src/catalog/hnsw-parameters.js'
import {temporaryFolder} from '../../support/fixtures.js'

/** Numbers from -1 to 1 that repeat from run to run. */
export function numbers(length: number, seed: number): Float32Array {
  let state = seed
  return Float32Array.from({length}, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 31 - 1
  })
}

/** Elements as an index of this space stores them; label i * 3 + 7 makes labels differ from every other number. */
export function elements(count: number, dimension: number, space: Space, seed = 1): IndexElements {
  const labels = Float64Array.from({length: count}, (_, i) => i * 3 + 7)
  return elementsForSpace({dimension, labels, vectors: numbers(count * dimension, seed)}, space)
}

/** Runs with environment variables changed. */
export async function withEnvironment<T>(
  variables: Record<string, string>,
  work: () => Promise<T>,
): Promise<T> {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, variables)
  try {
    return await work()
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

/** Builds an index in a new folder with the library named. */
export async function build(
  options: Partial<BuildOptions> & Pick<BuildOptions, 'elements' | 'space'>,
  engine?: EngineName,
): Promise<BuiltIndex & {folder: string}> {
  const outDir = temporaryFolder()
  const built = await withEnvironment(engine ? {CHOPS_HNSW_ENGINE: engine} : {}, () =>
    buildIndex({efConstruction: 60, M: 8, outDir, ...options}),
  )
  return {...built, folder: outDir}
}

/** A script that hides libraries from the processes that load it. */
export function without(...libraries: string[]): string {
  const script = join(temporaryFolder(), 'without.cjs')
  writeFileSync(
    script,
    `const Module = require('node:module')
     const load = Module._load
     Module._load = (name, ...rest) => {
       if (${JSON.stringify(libraries)}.includes(name)) throw new Error('Cannot find module ' + name)
       return load(name, ...rest)
     }`,
  )
  return script
}
