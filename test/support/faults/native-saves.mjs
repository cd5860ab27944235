/** Makes points of the files that the native HNSW libraries save by themselves. */
import fs from 'node:fs'
import Module from 'node:module'

import {wrapSync} from './wrap.mjs'

const {statSync, truncateSync} = fs

const SAVE = {
  describe: (_, [path]) => ({name: 'native save', detail: path, changes: true}),
  fail(code, _, [path]) {
    if (code === 'EIO') return new Error('the library could not write its file')
    // Neither library notices a full disk: the file is there, and too short.
    truncateSync(path, statSync(path).size >> 1)
  },
  half: (args) => args,
}

const SAVING = [
  {className: 'Index', method: 'save', isLibrary: (module) => module?.MetricKind !== undefined},
  {
    className: 'HierarchicalNSW',
    method: 'writeIndexSync',
    isLibrary: (module) => module?.HierarchicalNSW !== undefined,
  },
]

/** Wraps usearch and hnswlib-node at the moment when the process loads one of them. */
export function wrapNativeSaves() {
  const seen = new WeakSet()
  const load = Module._load
  Module._load = function (...args) {
    const module = Reflect.apply(load, this, args)
    for (const {className, isLibrary, method} of SAVING) {
      if (!isLibrary(module) || seen.has(module)) continue
      seen.add(module)
      const Original = module[className]
      // A native class does not let its methods be replaced.
      module[className] = class extends Original {}
      Object.defineProperty(module[className].prototype, method, {
        value: wrapSync(Original.prototype[method], SAVE),
      })
    }

    return module
  }
}
