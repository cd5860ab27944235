import {type Engine, engineOrSkip} from './support/engines.js'
import {copyOf, type Snapshot, snapshotBy, upgradeBy, writeDirectory} from './support/judge.js'
import {expectSound, run} from './support/judged-writing.js'

const UPGRADES = [
  ['0.4.24', '0.6.3'],
  ['0.4.24', '1.5.9'],
  ['0.5.5', '1.0.16'],
  ['0.6.3', '1.5.9'],
] as const

for (const [older, newer] of UPGRADES) {
  describe(`directories of Chroma ${older} upgraded by ${newer}, judged by ${newer}`, () => {
    let engine: Engine
    let upgraded: string
    let original: Snapshot

    before(async function () {
      const first = await engineOrSkip(this, older)
      engine = await engineOrSkip(this, newer)
      upgraded = await writeDirectory(first, {seed: 12})
      await upgradeBy(engine, upgraded, {write: true})
      original = await snapshotBy(engine, upgraded)
    })

    it('after hnsw rebuild with another space and of every collection', async () => {
      const dir = copyOf(upgraded)
      await run('hnsw', 'rebuild', dir, '-c', 'churned', '--space', 'l2', '--m', '20', '-y')
      await run('hnsw', 'rebuild', dir, '--all', '--fragmentation', '0', '-y')
      await expectSound(engine, dir, original, {
        changedSpace: {'default_tenant/default_database/churned': 'l2'},
      })
    })

    it('after wal commit and wal clean', async () => {
      const dir = copyOf(upgraded)
      await run('wal', 'commit', dir, '-y')
      await run('wal', 'clean', dir, '-y')
      await expectSound(engine, dir, original)
    })
  })
}
