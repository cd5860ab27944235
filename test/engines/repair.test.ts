import {expect} from 'chai'

import {chopsJson} from '../support/cli.js'
import {engineOrSkip, type EngineVersion} from './support/engines.js'
import {type JudgedCollection, snapshotBy, writeDirectory} from './support/judge.js'
import {expectSound} from './support/judged-writing.js'

interface Rebuilt {
  rebuilt: {collection: string; method: string; reason: string; recall: number}[]
}

interface Committed {
  committed: {method: string}[]
}

const VERSIONS: readonly EngineVersion[] = ['0.4.24', '0.5.5', '0.5.23', '0.6.3', '1.0.16', '1.5.9']

/**
 * The Python engines search the newest records exactly, beside the graph, which flatters the recall before a rebuild; of
 * the default collection, whose search ef is 10, a full build loses as much.
 */
const FLATTERED = 0.12

/** Each ends with Chroma updating, deleting and adding more than the sync threshold. */
const ROUNDS = 3

async function repair(
  dir: string,
  {database, name, tenant}: JudgedCollection,
): Promise<Rebuilt['rebuilt'][number]> {
  const place = ['-c', name, '-d', database, '--tenant', tenant]
  const {code, json} = await chopsJson<Rebuilt>([
    'hnsw',
    'rebuild',
    dir,
    ...place,
    '--method',
    'repair',
    '-y',
    '--no-backup',
  ])
  expect(code, name).to.equal(0)
  const [result] = json.rebuilt
  if (!result) throw new Error(`${name} was not rebuilt`)
  return result
}

describe('an index that is repaired again and again, as Chroma goes on writing', () => {
  for (const version of VERSIONS) {
    it(`is sound to Chroma ${version} each time, with every record and its recall`, async function () {
      const engine = await engineOrSkip(this, version)
      const dir = await writeDirectory(engine, {scale: 4, seed: 23})
      for (let round = 0; round < ROUNDS; round++) {
        const before = await snapshotBy(engine, dir)
        for (const collection of before.collections.filter(({recall}) => recall !== null)) {
          const {method, reason, recall} = await repair(dir, collection)
          // A collection that is all in the log has no graph yet.
          const isFirst = round === 0 && reason.startsWith('there is no old graph')
          expect(method, `${collection.name}: ${reason}`).to.equal(isFirst ? 'full' : 'repair')
          expect(recall).to.be.at.least(0.95)
        }

        await expectSound(engine, dir, before, {recallTolerance: FLATTERED})
      }

      // What the engine wrote last goes into graphs that were repaired.
      const before = await snapshotBy(engine, dir)
      const {code, json} = await chopsJson<Committed>(['wal', 'commit', dir, '-y'])
      expect(code).to.equal(0)
      expect(json.committed.map(({method}) => method)).to.include('extend')
      await expectSound(engine, dir, before, {recallTolerance: FLATTERED})
    })
  }
})
