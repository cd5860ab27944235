// Compiles the distance kernel, core/wasm, to the WebAssembly module that @chops/core loads. As `tsc -b` does,
// it leaves what is newer than its source.
import {readdirSync, statSync} from 'node:fs'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const SOURCES = 'core/wasm'
const SOURCE = `${SOURCES}/index.ts`
const MODULE = 'core/dist/hnsw/kernel/kernel.wasm'

const OPTIONS = {
  noAssert: [],
  optimizeLevel: ['3'],
  runtime: ['stub'],
  enable: ['simd', 'threads'],
  // The vectors lie in a memory that several threads share: up to 4 GiB but for one of the pages of 64 KiB.
  importMemory: [],
  sharedMemory: [],
  initialMemory: ['1'],
  maximumMemory: ['65535'],
}

const argumentsOf = (options) => [
  SOURCE,
  ...Object.entries(options).flatMap(([name, values]) =>
    values.length === 0 ? `--${name}` : values.flatMap((value) => [`--${name}`, value]),
  ),
]
const changed = (path) => statSync(`${root}/${path}`, {throwIfNoEntry: false})?.mtimeMs ?? 0
const sources = readdirSync(`${root}/${SOURCES}`, {recursive: true}).map((name) => `${SOURCES}/${name}`)
if (changed(MODULE) <= Math.max(...[...sources, 'scripts/kernel.js'].map((path) => changed(path)))) {
  // Loading the compiler takes longer than everything else here.
  const {main} = await import('assemblyscript/asc')
  const {error, stderr} = await main(argumentsOf({...OPTIONS, baseDir: [root], outFile: [MODULE]}), {})
  if (error) {
    process.stderr.write(`${stderr.toString()}${error.message}\n`)
    process.exitCode = 1
  }
}
