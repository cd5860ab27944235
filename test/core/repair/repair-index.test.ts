import {expect} from 'chai'
import fc from 'fast-check'

import type {Space} from '../../../core/src/catalog/hnsw-parameters.js'

import {elementsForSpace, type IndexElements} from '../../../core/src/hnsw/build/elements.js'
import {verifyIndex} from '../../../core/src/hnsw/build/verify-index.js'
import {checkIndexFiles} from '../../../core/src/hnsw/check.js'
import {measureGraph} from '../../../core/src/hnsw/graph-report.js'
import {type HnswGraph, loadGraph} from '../../../core/src/hnsw/graph.js'
import {type HnswHeader, readHeader} from '../../../core/src/hnsw/header.js'
import {NONE} from '../../../core/src/hnsw/repair/job.js'
import {LinkLists} from '../../../core/src/hnsw/graph-lists.js'
import {repairIndex, type RepairOptions} from '../../../core/src/hnsw/repair/repair-index.js'
import {temporaryFolder} from '../../support/fixtures.js'
import {build, numbers, elements as randomElements} from '../build/vectors.js'
import {readElements} from '../../support/elements.js'

interface Index {
  elements: IndexElements
  folder: string
  header: HnswHeader
  space: Space
}

async function randomIndex(count: number, dimension: number, space: Space, M = 4): Promise<Index> {
  const given = randomElements(count, dimension, space)
  const {folder, header} = await build({elements: given, M, space}, 'hnswlib-node')
  return {elements: await readElements(folder, header, space), folder, header, space}
}

/** What is left of an index when some elements go and `added` vectors come. */
function churned(index: Index, isGone: (id: number) => boolean, added: number, seed = 5) {
  const {elements, space} = index
  const {dimension, norms, vectors} = elements
  const survivors = [...elements.labels.keys()].filter((id) => !isGone(id))
  const extra = elementsForSpace(
    {dimension, labels: Array.from({length: added}), vectors: numbers(added * dimension, seed)},
    space,
  )
  const count = survivors.length + added
  const merged: IndexElements = {
    dimension,
    labels: Float64Array.from({length: count}, (_, i) => i + 1),
    norms:
      norms && Float32Array.from([...survivors.map((id) => norms[id] as number), ...(extra.norms ?? [])]),
    vectors: new Float32Array(count * dimension),
  }
  for (const [to, from] of survivors.entries())
    merged.vectors.set(vectors.subarray(from * dimension, (from + 1) * dimension), to * dimension)
  merged.vectors.set(extra.vectors, survivors.length * dimension)
  const oldIds = Uint32Array.from({length: count}, (_, i) => survivors[i] ?? NONE)
  return {elements: merged, oldIds}
}

async function repaired(
  index: Index,
  {elements, oldIds}: ReturnType<typeof churned>,
  options: Partial<RepairOptions> = {},
): Promise<Index & {graph: HnswGraph; old: HnswGraph}> {
  const outDir = temporaryFolder()
  const {space} = index
  const old = await loadGraph(index.folder, index.header)
  const header = await repairIndex({efConstruction: 60, elements, old, oldIds, outDir, space, ...options})
  return {
    elements,
    folder: outDir,
    graph: await loadGraph(outDir, await readHeader(outDir)),
    header,
    old,
    space,
  }
}

/**
 * The links of every list of a graph.
 *
 * @yields a list with its level and element
 */
function* everyList(graph: HnswGraph): Generator<{id: number; level: number; links: Uint32Array}> {
  const lists = new LinkLists(graph)
  for (const [id, highest] of graph.levels.entries()) {
    for (let level = 0; level <= highest; level++) {
      const start = lists.start(level, id)
      yield {id, level, links: lists.links(level).subarray(start, start + lists.count(level, id))}
    }
  }
}

describe('repairing a graph', () => {
  it('keeps every rule on small random graphs, whatever goes and comes', async function () {
    this.timeout(240_000)
    const indexes = new Map<string, Promise<Index>>()
    const indexOf = (space: Space, count: number): Promise<Index> => {
      const key = `${space} ${count}`
      const made = indexes.get(key) ?? randomIndex(count, 5, space)
      indexes.set(key, made)
      return made
    }

    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Space>('cosine', 'ip', 'l2'),
        fc.constantFrom(2, 30, 300),
        fc.record({
          added: fc.integer({max: 20, min: 0}),
          gone: fc.double({max: 1, min: 0, noNaN: true}),
          seed: fc.nat(),
        }),
        async (space, count, {added, gone, seed}) => {
          const index = await indexOf(space, count)
          const chances = numbers(count, seed)
          const keep = seed % count
          const left = churned(index, (id) => id !== keep && (chances[id] as number) < 2 * gone - 1, added)
          const {elements, folder, graph, header, old} = await repaired(index, left)
          // Links valid, within the caps, on levels that their targets have; the entry point on the highest level.
          expect(await checkIndexFiles(folder, {cosine: space === 'cosine'})).to.deep.equal([])
          expect(await readHeader(folder)).to.deep.equal(header)
          // Levels kept, every element there to the byte, found, and reachable.
          for (const [id, oldId] of left.oldIds.entries())
            if (oldId !== NONE) expect(graph.levels[id]).to.equal(old.levels[oldId])
          expect((await measureGraph(graph)).unreachable).to.equal(0)
          const {recall} = await verifyIndex({elements, folder, space})
          expect(recall).to.be.at.least(0.9)
        },
      ),
      {numRuns: 40},
    )
  })

  it('makes new links mutual as long as lists have room', async () => {
    const index = await randomIndex(400, 6, 'l2', 16)
    const left = churned(index, (id) => id % 10 === 0, 0)
    const {graph, old} = await repaired(index, left)
    const keyOf = (level: number, from: number | undefined, to: number | undefined) =>
      `${level} ${from} ${to}`
    const links = (of: HnswGraph) =>
      [...everyList(of)].flatMap(({id, level, links}) => [...links].map((to) => ({id, level, to})))
    const before = new Set(links(old).map(({id, level, to}) => keyOf(level, id, to)))
    const now = links(graph)
    const all = new Set(now.map(({id, level, to}) => keyOf(level, id, to)))
    const lists = new LinkLists(graph)
    const added = now.filter(({id, level, to}) => !before.has(keyOf(level, left.oldIds[id], left.oldIds[to])))
    expect(added.length).to.be.greaterThan(0)
    for (const {id, level, to} of added) {
      const isMutual = all.has(keyOf(level, to, id))
      // Only a full list is shrunk, which the heuristic leaves far above this.
      if (!isMutual) expect(lists.count(level, to)).to.be.greaterThan(4)
    }

    const mutual = added.filter(({id, level, to}) => all.has(keyOf(level, to, id)))
    expect(mutual.length / added.length).to.be.greaterThan(0.8)
  })

  it('gives elements of higher levels their links there on level 0 too, the farthest first, where there is room', async () => {
    const index = await randomIndex(1000, 6, 'l2', 4)
    const {elements, graph} = await repaired(
      index,
      churned(index, (id) => id % 10 === 0, 0),
    )
    const links = new Map([...everyList(graph)].map(({id, level, links}) => [`${level} ${id}`, links]))
    const distance = (i: number, j: number) => {
      const vector = (id: number) => elements.vectors.subarray(6 * id, 6 * id + 6)
      return vector(i).reduce((sum, value, at) => sum + (value - (vector(j)[at] as number)) ** 2, 0)
    }

    const [taken, leftOut]: [number[], number[]] = [[], []]
    for (const [id, highest] of graph.levels.entries()) {
      if (highest === 0) continue
      const level0 = links.get(`0 ${id}`) ?? new Uint32Array()
      const upper = [...(links.get(`1 ${id}`) ?? [])]
      const missing = upper.filter((link) => !level0.includes(link))
      if (missing.length === 0) continue
      expect(level0.length).to.equal(graph.header.maxM0)
      for (const link of upper) (missing.includes(link) ? leftOut : taken).push(distance(id, link))
    }

    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    expect(mean(taken)).to.be.greaterThan(mean(leftOut))
  })

  it('changes no other list that has lost nothing, but for links back', async () => {
    const index = await randomIndex(400, 6, 'l2', 8)
    const left = churned(index, (id) => id === 77, 0)
    const {graph, old} = await repaired(index, left)
    const lost = [...everyList(old)].filter(({links}) => links.includes(77)).length
    const before = new Map([...everyList(old)].map(({id, level, links}) => [`${level} ${id}`, [...links]]))
    let changed = 0
    for (const {id, level, links} of everyList(graph)) {
      const oldId = left.oldIds[id]
      const now = [...links].map((link) => left.oldIds[link] as number)
      const then = before.get(`${level} ${oldId}`) ?? []
      const isFilledUp = level === 0 && (graph.levels[id] as number) > 0
      if (isFilledUp || JSON.stringify(now) === JSON.stringify(then)) continue
      changed += 1
      if (!then.includes(77)) expect(now).to.include.members(now.length > then.length ? then : [])
    }

    expect(lost).to.be.greaterThan(0)
    expect(changed).to.be.lessThan(4 * lost)
  })

  it('passes through chains of deleted elements, however long', async () => {
    // On a line the graph has no way around the middle when that goes.
    const count = 200
    const line: IndexElements = {
      dimension: 1,
      labels: Float64Array.from({length: count}, (_, i) => i + 1),
      vectors: Float32Array.from({length: count}, (_, i) => i),
    }
    const {folder, header} = await build({elements: line, M: 2, space: 'l2'}, 'hnswlib-node')
    const index: Index = {elements: await readElements(folder, header, 'l2'), folder, header, space: 'l2'}
    const left = churned(index, (id) => id >= 60 && id < 140, 0)
    const result = await repaired(index, left)
    const bridges = [...everyList(result.graph)].filter(
      ({id, level, links}) => level === 0 && links.some((link) => id < 60 !== link < 60),
    )
    expect(new Set(bridges.map(({id}) => id < 60))).to.deep.equal(new Set([false, true]))
    expect((await measureGraph(result.graph)).unreachable).to.equal(0)
  })

  it('gives the same graph with threads as without', async () => {
    const index = await randomIndex(2500, 8, 'cosine', 6)
    const left = churned(index, (id) => id % 5 === 0, 0)
    const more = churned(index, (id) => id % 6 === 0, 0)
    const steps: number[] = []
    const [one, two] = [
      await repaired(index, more, {threads: 1}),
      await repaired(index, more, {onProgress: (done, total) => steps.push(done / total), threads: 3}),
    ]
    expect(two.graph.level0Links).to.deep.equal(one.graph.level0Links)
    expect(two.graph.upperLists).to.deep.equal(one.graph.upperLists)
    expect(steps).to.deep.equal([...steps].sort((a, b) => a - b))
    expect(steps.at(-1)).to.equal(1)
    // 2,000 elements are few enough to do without.
    expect((await repaired(index, left)).graph.header.curElementCount).to.equal(2000)
  })

  it('stops at once when it is aborted, and ends its threads', async () => {
    const index = await randomIndex(2500, 8, 'cosine', 6)
    const left = churned(index, (id) => id % 7 === 0, 0)
    const reason = new Error('Ctrl-C')
    for (const signal of [AbortSignal.abort(reason), abortSoon(reason)]) {
      const error: unknown = await repaired(index, left, {signal}).catch((error_: unknown) => error_)
      expect(error).to.equal(reason)
    }
  })

  it('keeps its recall over many rounds of churn', async function () {
    this.timeout(240_000)
    let index = await randomIndex(1500, 16, 'l2', 8)
    for (let round = 0; round < 20; round++) {
      const chances = numbers(1500, round + 100)
      index = await repaired(
        index,
        churned(index, (id) => (chances[id] as number) < -0.8, 150, round + 1000),
      )
      const count = index.elements.labels.length
      if (count > 1500)
        index = await repaired(
          index,
          churned(index, (id) => id >= 1500, 0),
        )
    }

    const fresh = await build({elements: index.elements, M: 8, space: 'l2'}, 'usearch')
    const recallOf = async (folder: string) =>
      (await verifyIndex({elements: index.elements, folder, sample: 300, space: 'l2'})).recall
    expect(await recallOf(index.folder)).to.be.at.least((await recallOf(fresh.folder)) - 0.005)
  })
})

function abortSoon(reason: Error): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(reason), 20)
  return controller.signal
}
