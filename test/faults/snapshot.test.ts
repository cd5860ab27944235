import {expect} from 'chai'
import {existsSync, readdirSync} from 'node:fs'
import {dirname, join} from 'node:path'

import {readCatalog} from '../../core/src/catalog/catalog.js'
import {openPersistDir} from '../../core/src/persist-dir/persist-dir.js'
import {findOrphanFolders} from '../../core/src/persist-dir/leftovers.js'
import type {ChromaRecord} from '../../core/src/records/index.js'
import {verifyFile} from '../../plugins/ops-snapshot/src/services/verify-file.js'
import {explorePoints, type Visit} from '../support/faults/explore.js'
import {FAULT_KINDS} from '../support/faults/faulted-run.js'
import {type FixtureName, unpackFixture} from '../support/fixtures.js'
import {type Place, readRecords} from '../support/records.js'
import {takeSnapshot} from '../support/snapshots.js'
import {fingerprint} from '../support/untouched.js'

const full = process.env.CHOPS_FAULTS === 'full'
/** Runs of each test in the short sample. */
const SAMPLE = 3
const FIXTURES: FixtureName[] = full ? ['chroma-0.4.24', 'chroma-0.6.3', 'chroma-1.5.9'] : ['chroma-1.5.9']
const CHURNED = {database: 'default_database', name: 'churned', tenant: 'default_tenant'}
const COPY = {...CHURNED, name: 'copy'}

const breadth = full
  ? {}
  : {
      atMost: SAMPLE,
      only: ({changes, detail}: {changes: boolean; detail: string}) =>
        changes && !detail.startsWith('PRAGMA'),
    }

type Contents = Map<string, ChromaRecord[]>

/** Every record of every collection, by `tenant/database/name`. */
async function contentsOf(persistDir: string): Promise<Contents> {
  const dir = await openPersistDir(persistDir)
  const {collections} = await readCatalog(dir)
  await dir.close()
  const contents: Contents = new Map()
  for (const place of collections)
    contents.set(keyOf(place), [...(await readRecords(persistDir, place)).values()])
  return contents
}

function keyOf({database, name, tenant}: Place): string {
  return `${tenant}/${database}/${name}`
}

function differences(found: Contents, wanted: Contents): string[] {
  const names = new Set([...found.keys(), ...wanted.keys()])
  return [...names].filter((name) => {
    try {
      expect(found.get(name)).to.deep.equal(wanted.get(name))
      return false
    } catch {
      return true
    }
  })
}

/** Folders of segments that nothing owns, of which the fixtures have one to begin with. */
async function orphansOf(persistDir: string): Promise<string[]> {
  const dir = await openPersistDir(persistDir)
  const {segments} = await readCatalog(dir)
  await dir.close()
  return (
    await findOrphanFolders(
      persistDir,
      segments.map(({id}) => id),
    )
  ).map(({id}) => id)
}

/** A process that was not killed cleans up; a commit that took effect although it reports an error keeps its folder. */
function leftovers(names: string[], {ending}: Visit): string[] {
  return ending === 'killed' ? [] : names.map((name) => `it leaves ${name}`)
}

describe('a snapshot or restore that is killed or meets a fault', function () {
  this.timeout(full ? 7_200_000 : 240_000)

  for (const fixture of FIXTURES) {
    it(`leaves a whole snapshot or none, and the directory as it was (${fixture})`, async () => {
      const {persistDir} = unpackFixture(fixture)
      const {points, runs} = await explorePoints({
        args: (dir) => [
          'collection',
          'snapshot',
          dir,
          '-c',
          'churned',
          '-o',
          join(dirname(dir), 'churned.snapshot'),
        ],
        async check(dir, visit) {
          const problems: string[] = []
          const names = readdirSync(dirname(dir)).filter((name) => name.startsWith('churned.snapshot'))
          const file = join(dirname(dir), 'churned.snapshot')
          if (existsSync(file)) await verifyFile(file)
          else if (visit.ending === 'done') problems.push('there is no snapshot')
          problems.push(
            ...leftovers(
              names.filter((name) => name !== 'churned.snapshot'),
              visit,
            ),
          )
          const strip = (lines: string[]): string[] => lines.map((line) => line.replace(/ \S+ (\S*)$/, ' $1'))
          if (strip(fingerprint(dir)).join('\n') !== strip(fingerprint(persistDir)).join('\n'))
            problems.push('the directory has changed')
          return problems
        },
        kinds: FAULT_KINDS,
        prepare: () => persistDir,
        ...breadth,
      })
      expect(points.some(({changes}) => changes)).to.equal(true)
      expect(runs).to.be.greaterThan(1)
    })

    const WAYS: Record<string, {args: string[]; restored: Place}> = {
      'beside the original': {args: ['--as', 'copy'], restored: COPY},
      'in its place': {args: ['--replace'], restored: CHURNED},
    }
    for (const [title, {args, restored}] of Object.entries(WAYS)) {
      it(`leaves all collections, and the restored one whole or not at all: ${title} (${fixture})`, async () => {
        const {persistDir} = unpackFixture(fixture)
        const file = await takeSnapshot(persistDir, CHURNED)
        const before = await contentsOf(persistDir)
        const orphans = await orphansOf(persistDir)
        const after = new Map([...before, [keyOf(restored), before.get(keyOf(CHURNED)) ?? []]])
        const {points} = await explorePoints({
          args: (dir) => ['collection', 'restore', dir, '-i', file, '-y', ...args],
          async check(dir, visit) {
            const found = await contentsOf(dir)
            const isDone = differences(found, after).length === 0
            const problems = isDone
              ? []
              : differences(found, before).map((name) => `${name} is not what it was`)
            if (!isDone && visit.ending === 'done') problems.push('it is not restored')
            // The new collection is in force by then: that its old folder stays is said, and no failure.
            const isSaid = visit.run.stderr.includes('could not be put away')
            const left = isSaid ? [] : (await orphansOf(dir)).filter((id) => !orphans.includes(id))
            return [...problems, ...leftovers(visit.kind === 'EIO after' ? [] : left, visit)]
          },
          kinds: FAULT_KINDS,
          prepare: () => persistDir,
          ...breadth,
        })
        expect(points.some(({changes}) => changes)).to.equal(true)
      })
    }

    it(`leaves a whole new directory or none (${fixture})`, async () => {
      const {persistDir} = unpackFixture(fixture)
      const file = await takeSnapshot(persistDir, CHURNED)
      const wanted = await readRecords(persistDir, CHURNED)
      await explorePoints({
        args: (dir) => ['collection', 'restore', join(dirname(dir), 'new'), '-i', file, '-y'],
        async check(dir, visit) {
          const made = join(dirname(dir), 'new')
          const left = readdirSync(dirname(dir)).filter((name) => /^new\..+\.tmp$/.test(name))
          const problems = leftovers(left, visit)
          if (!existsSync(made))
            return visit.ending === 'done' ? [...problems, 'there is no directory'] : problems
          const found = await contentsOf(made)
          const isWhole = differences(found, new Map([[keyOf(CHURNED), [...wanted.values()]]])).length === 0
          return isWhole ? problems : [...problems, 'the new directory is not whole']
        },
        kinds: FAULT_KINDS,
        prepare: () => persistDir,
        ...breadth,
      })
    })
  }
})
