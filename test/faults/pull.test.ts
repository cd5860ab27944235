import {expect} from 'chai'
import {readdirSync} from 'node:fs'

import {readCatalog} from '../../core/src/catalog/catalog.js'
import {findOrphanFolders} from '../../core/src/persist-dir/leftovers.js'
import {openPersistDir} from '../../core/src/persist-dir/persist-dir.js'
import {chops} from '../support/cli.js'
import {FakeChroma} from '../support/fake-chroma.js'
import {explorePoints, type Visit} from '../support/faults/explore.js'
import {FAULT_KINDS} from '../support/faults/faulted-run.js'
import {type FixtureName, unpackFixture} from '../support/fixtures.js'
import {readRecords} from '../support/records.js'

const full = process.env.CHOPS_FAULTS === 'full'
/** Runs of each test in the short sample. */
const SAMPLE = 4
const FIXTURES: FixtureName[] = full ? ['chroma-0.4.24', 'chroma-0.6.3', 'chroma-1.5.9'] : ['chroma-1.5.9']
const NAME = 'inner_product'

interface State {
  /** Of the collections that were there, sorted: batches of a pull arrive in any order. */
  ids: Map<string, string[]>
  /** Of the pulled collection; undefined without one. */
  copy: string[] | undefined
  orphans: string[]
}

async function stateOf(persistDir: string): Promise<State> {
  const dir = await openPersistDir(persistDir)
  const {collections, segments} = await readCatalog(dir)
  await dir.close()
  const ids = new Map<string, string[]>()
  for (const place of collections) {
    const records = await readRecords(persistDir, place)
    ids.set(`${place.tenant}/${place.database}/${place.name}`, [...records.keys()].sort())
  }

  const key = 'default_tenant/default_database/copy'
  const copy = ids.get(key)
  ids.delete(key)
  const orphans = await findOrphanFolders(
    persistDir,
    segments.map(({id}) => id),
  )
  return {copy, ids, orphans: orphans.map(({id}) => id)}
}

describe('a pull that is killed or meets a fault', function () {
  this.timeout(full ? 7_200_000 : 240_000)
  let server: FakeChroma

  before(async () => {
    server = await new FakeChroma().start()
    const {persistDir} = unpackFixture('chroma-0.6.3')
    await chops(['collection', 'push', persistDir, '-c', NAME, '--url', server.url, '--yes'])
  })

  after(() => server.stop())

  for (const fixture of FIXTURES) {
    it(`leaves the collection whole or not at all, and everything else as it was (${fixture})`, async () => {
      const {persistDir} = unpackFixture(fixture)
      const before = await stateOf(persistDir)
      const wanted = [
        ...(await readRecords(unpackFixture('chroma-0.6.3').persistDir, {name: NAME})).keys(),
      ].sort()
      const args = (dir: string): string[] => [
        'collection',
        'pull',
        dir,
        '-c',
        NAME,
        '--as',
        'copy',
        '--url',
        server.url,
        '--batch-size',
        '40',
        '--yes',
      ]
      const check = async (dir: string, {ending, kind}: Visit): Promise<string[]> => {
        const {copy, ids, orphans} = await stateOf(dir)
        const problems: string[] = []
        if (JSON.stringify([...ids]) !== JSON.stringify([...before.ids]))
          problems.push('other collections changed')
        if (copy && copy.join(' ') !== wanted.join(' ')) problems.push(`the copy has ${copy.length} records`)
        if (!copy && ending === 'done') problems.push('there is no copy')
        const left = orphans.filter((id) => !before.orphans.includes(id))
        if (ending !== 'killed' && kind !== 'EIO after' && left.length > 0)
          problems.push(`it leaves ${left.join(', ')}`)
        const files = readdirSync(dir).filter((name) => name.startsWith('.chops-pull-'))
        if (copy && ending === 'done' && files.length > 0) problems.push(`it leaves ${files.join(', ')}`)
        if (copy) return problems
        const {code, stderr} = await chops([...args(dir), '--resume'])
        if (code !== 0) problems.push(`it cannot be resumed: ${stderr}`)
        else if ((await stateOf(dir)).copy?.join(' ') !== wanted.join(' '))
          problems.push('the resumed copy is not whole')
        return problems
      }

      const {points} = await explorePoints({
        args,
        check,
        kinds: FAULT_KINDS,
        prepare: () => persistDir,
        ...(full
          ? {}
          : {
              atMost: SAMPLE,
              only: ({changes, detail}: {changes: boolean; detail: string}) =>
                changes && !detail.startsWith('PRAGMA'),
            }),
      })
      expect(points.some(({changes}) => changes)).to.equal(true)
    })
  }
})
