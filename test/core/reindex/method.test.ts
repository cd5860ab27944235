import {expect} from 'chai'

import type {IndexSource} from '../../../core/src/reindex/source.js'

import {headerOf} from '../../../core/src/hnsw/build/index-files.js'
import {chooseMethod, type MethodOptions} from '../../../core/src/reindex/method.js'

interface Case extends MethodOptions {
  dimension?: number
  /** Elements of the old graph that the new one does not have. */
  gone?: number
  inserted?: number
  /** Elements of the new index. */
  total?: number
}

/** An index as `chooseMethod` sees it: it looks at no file. */
function choose({dimension = 384, gone = 0, inserted = 0, total = 100_000, ...options}: Case) {
  const survivors = total - inserted
  const count = survivors + gone
  const header = headerOf({
    curElementCount: count,
    dimension,
    efConstruction: 100,
    enterpoint: 0,
    M: 16,
    maxElements: count,
    maxLevel: 3,
  })
  const parameters = {constructionEf: 100, m: 16, space: 'l2'}
  const operations = Array.from({length: inserted}, () => ({op: 'add'}))
  const source = {dimension, header, parameters, pending: {ids: {idToLabel: {size: total}}, operations}}
  return chooseMethod(source as unknown as IndexSource, parameters as never, options)
}

describe('the choice between a repair and a full build', () => {
  it('is a repair where little is gone, and a full build where most is', () => {
    const methods = [0, 5000, 30_000, 100_000, 900_000].map((gone) => choose({gone}).method)
    expect(methods).to.deep.equal(['repair', 'repair', 'repair', 'repair', 'full'])
  })

  it('is a full build where much is new, the sooner the more threads that has', () => {
    expect(choose({inserted: 10_000, threads: 2}).method).to.equal('repair')
    expect(choose({inserted: 10_000, threads: 16}).method).to.equal('full')
    expect(choose({inserted: 60_000, threads: 2}).method).to.equal('full')
  })

  it('is a repair where there is little at all, since a library takes longer to start', () => {
    expect(choose({gone: 400, inserted: 19, total: 200}).method).to.equal('repair')
  })

  it('says what is gone and what is new', () => {
    expect(choose({gone: 5000}).reason).to.equal('4.76% of the elements are gone, 0 are new')
    expect(choose({inserted: 7, method: 'repair'}).reason).to.equal(
      'it was asked for; 0.00% of the elements are gone, 7 are new',
    )
  })

  it('is a full build above what WebAssembly can hold, also when a repair is asked for', () => {
    for (const method of ['auto', 'repair'] as const)
      expect(choose({dimension: 4096, method, total: 300_000})).to.deep.equal({
        method: 'full',
        reason: 'a repair needs SIMD, and at most 4 GiB for vectors and links',
      })
  })

  it('is a full build where a repair takes more memory than is free', () => {
    const {availableMemory} = process
    process.availableMemory = () => 100 * 2 ** 20
    try {
      expect(choose({})).to.include({method: 'full'})
      expect(choose({method: 'repair'}).reason).to.match(
        /^a repair needs .* of memory, and 100(\.0)?MiB is free$/,
      )
    } finally {
      process.availableMemory = availableMemory
    }
  })
})
