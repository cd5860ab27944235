import {expect} from 'chai'
import {existsSync, readdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {buildIndex, SAVED_GRAPH} from '../../../core/src/hnsw/build/build-index.js'
import {temporaryFolder} from '../../support/fixtures.js'
import {failure} from '../hnsw/segment-folders.js'
import {build, elements, withEnvironment, without} from './vectors.js'

describe('the library that builds an index', () => {
  it('is hnswlib-node where usearch is not installed', async () => {
    const {engine} = await withEnvironment({NODE_OPTIONS: `--require ${without('usearch')}`}, () =>
      build({elements: elements(20, 3, 'ip'), space: 'ip'}),
    )
    expect(engine).to.equal('hnswlib-node')
  })

  it('is named with the command to install it where there is none', async () => {
    const error = await withEnvironment(
      {NODE_OPTIONS: `--require ${without('usearch', 'hnswlib-node')}`},
      () => failure(build({elements: elements(20, 3, 'ip'), space: 'ip'})),
    )
    expect(error.kind).to.equal('usage')
    expect(error.message).to.contain('usearch').and.contain('hnswlib-node')
    expect(error.next).to.contain('npm install usearch hnswlib-node')
  })

  it('cannot be an unknown one, nor be given an M that no index can have', async () => {
    const given = {elements: elements(20, 3, 'ip'), space: 'ip'} as const
    const unknown = await withEnvironment({CHOPS_HNSW_ENGINE: 'faiss'}, () => failure(build(given)))
    expect(unknown.message).to.contain("'faiss'")
    for (const M of [1, 2.5, 40_000]) expect((await failure(build({...given, M}))).kind).to.equal('usage')
  })

  it('is reported by an error when it crashes, and leaves nothing behind', async () => {
    const crash = join(temporaryFolder(), 'crash.cjs')
    writeFileSync(
      crash,
      `if (process.send) process.on('message', () => process.kill(process.pid, 'SIGSEGV'))`,
    )
    const outDir = temporaryFolder()
    const error = await withEnvironment({NODE_OPTIONS: `--require ${crash}`}, () =>
      failure(build({elements: elements(20, 3, 'ip'), outDir, space: 'ip'})),
    )
    expect(error.message).to.contain('SIGSEGV')
    expect(error.next).to.contain('CHOPS_HNSW_ENGINE=hnswlib-node')
    expect(existsSync(join(outDir, SAVED_GRAPH))).to.equal(false)
  })

  it('is interrupted, not broken, by a Ctrl-C that comes before it takes no notice', async () => {
    const early = join(temporaryFolder(), 'early.cjs')
    writeFileSync(early, `if (process.send) process.kill(process.pid, 'SIGINT')`)
    const given = {elements: elements(20, 3, 'ip'), space: 'ip'} as const
    const error: unknown = await withEnvironment({NODE_OPTIONS: `--require ${early}`}, () =>
      build(given).catch((error_: unknown) => error_),
    )
    expect(error).to.have.property('name', 'AbortError')
  })

  it('stops at once when it is aborted in the middle', async () => {
    const controller = new AbortController()
    const outDir = temporaryFolder()
    const building = buildIndex({
      efConstruction: 60,
      elements: elements(4000, 16, 'l2'),
      M: 8,
      onProgress: () => controller.abort(),
      outDir,
      signal: controller.signal,
      space: 'l2',
    })
    const error: unknown = await building.catch((error_: unknown) => error_)
    expect(error).to.have.property('name', 'AbortError')
    expect(readdirSync(outDir)).to.deep.equal([])
  })
})
