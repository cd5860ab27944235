import {expect} from 'chai'
import fc from 'fast-check'
import {execFileSync} from 'node:child_process'
import {once} from 'node:events'
import {fileURLToPath} from 'node:url'
import {Worker} from 'node:worker_threads'

import type {Space} from '../../../core/src/catalog/hnsw-parameters.js'

import {hasKernel} from '../../../core/src/hnsw/kernel/kernel.js'
import {
  createKernelTable,
  createTable,
  fitsKernel,
  openTable,
  type VectorTable,
} from '../../../core/src/hnsw/distance/vector-table.js'
import {numbers} from '../build/vectors.js'

const CORE = fileURLToPath(new URL('../../../core', import.meta.url))

const SPACES: readonly Space[] = ['cosine', 'ip', 'l2']

/** Both ways to compute the distances of the same vectors. */
function bothTables(space: Space, dimension: number, floats: Float32Array): VectorTable[] {
  return [true, false].map((useKernel) => {
    const table = createTable({dimension, rows: floats.length / dimension, space}, useKernel)
    table.floats.set(floats)
    return table
  })
}

/** The definition, in f64, and the sum of what is added up, which is what a rounding error is a share of. */
function definition(space: Space, a: Float32Array, b: Float32Array): {distance: number; scale: number} {
  const terms = Array.from(a, (x, i) => {
    const y = b[i] ?? Number.NaN
    return space === 'l2' ? (x - y) ** 2 : x * y
  })
  const total = terms.reduce((sum, term) => sum + term, 0)
  return {
    distance: space === 'l2' ? total : 1 - total,
    scale: terms.reduce((sum, term) => sum + Math.abs(term), 1),
  }
}

describe('the distances of a table of vectors', () => {
  it('are computed with SIMD on this machine', () => {
    expect(hasKernel()).to.equal(true)
    expect(fitsKernel({dimension: 384, rows: 2_000_000, space: 'l2'})).to.equal(true)
  })

  it('are computed without it for more vectors than 32 bits address', () => {
    expect(fitsKernel({dimension: 384, rows: 3_000_000, space: 'l2'})).to.equal(false)
  })

  for (const space of SPACES) {
    it(`are those of ${space} in every dimension, tails included, both ways`, () => {
      for (let dimension = 1; dimension <= 70; dimension++) {
        const floats = numbers(3 * dimension, dimension)
        for (const {distance} of bothTables(space, dimension, floats)) {
          for (const [i, j] of [
            [0, 1],
            [1, 2],
            [2, 0],
            [1, 1],
          ] as const) {
            const row = (at: number) => floats.subarray(at * dimension, (at + 1) * dimension)
            const wanted = definition(space, row(i), row(j))
            expect(distance(i, j)).to.be.closeTo(wanted.distance, 1e-6 * wanted.scale)
            expect(distance(j, i), 'the other way round').to.equal(distance(i, j))
          }
        }
      }
    })
  }

  it('are the same both ways, within rounding, whatever the numbers', () => {
    const float = fc.float({max: 1e6, min: -1e6, noNaN: true})
    const vectors = fc
      .integer({max: 40, min: 1})
      .chain((dimension) => fc.array(float, {maxLength: 2 * dimension, minLength: 2 * dimension}))
    fc.assert(
      fc.property(fc.constantFrom(...SPACES), vectors, (space, values) => {
        const floats = Float32Array.from(values)
        const dimension = floats.length / 2
        const [simd, plain] = bothTables(space, dimension, floats)
        const {scale} = definition(space, floats.subarray(0, dimension), floats.subarray(dimension))
        const difference = Math.abs((simd?.distance(0, 1) ?? Infinity) - (plain?.distance(0, 1) ?? 0))
        expect(difference).to.be.at.most(1e-6 * scale)
      }),
    )
  })

  it('are seen by another thread in the same memory', async () => {
    const shared = createKernelTable({dimension: 5, rows: 2, space: 'l2'})
    openTable(shared).floats.set([1, 2, 3, 4, 5, 1, 2, 3, 4, 7])
    expect(openTable(shared).distance(0, 1)).to.equal(4)
    const source = `const {parentPort, workerData} = require('node:worker_threads')
      import(workerData.module).then(({openTable}) => parentPort.postMessage(openTable(workerData.shared).distance(0, 1)))`
    const module = new URL('../../../core/dist/hnsw/distance/vector-table.js', import.meta.url).href
    const worker = new Worker(source, {eval: true, execArgv: [], workerData: {module, shared}})
    expect(await once(worker, 'message')).to.deep.equal([4])
    await worker.terminate()
  })

  it('come with a module that the package ships', () => {
    const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: CORE,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [{files} = {files: []}] = JSON.parse(packed) as {files: {path: string}[]}[]
    expect(files.map(({path}) => path)).to.include('dist/hnsw/kernel/kernel.wasm')
  })
})
