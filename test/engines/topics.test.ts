import {expect} from 'chai'
import {join} from 'node:path'

import {withEnvironment} from '../core/build/vectors.js'
import {chops} from '../support/cli.js'
import {temporaryFolder} from '../support/fixtures.js'
import {withDatabase} from '../support/sql.js'
import {engineOrSkip} from './support/engines.js'
import {copyOf, judgeBy, type JudgedCollection, snapshotBy, writeDirectory} from './support/judge.js'

/** The Rust engines know no other topics than the default ones. */
const PYTHON_ENGINES = ['0.4.24', '0.5.5', '0.5.23', '0.6.3'] as const

/** What the settings of a Chroma are read from. */
const TOLD = {TENANT_ID: 'mine', TOPIC_NAMESPACE: 'own'}

/** A cosine vector that was only in the log is normalised when it gets into an index. */
const NORMALISED = 1e-6

/** Runs a command that has to succeed. */
async function run(...args: string[]): Promise<void> {
  const {code, stderr, stdout} = await chops(args)
  expect(code, `${stdout}\n${stderr}`).to.equal(0)
}

async function topicsOf(dir: string): Promise<string[]> {
  return withDatabase(dir, async (db) => {
    const rows = await db.all<{topic: string}>('SELECT DISTINCT topic FROM embeddings_queue')
    return rows.map(({topic}) => topic)
  })
}

for (const version of PYTHON_ENGINES) {
  it(`a Chroma ${version} that was told another topic_namespace finds all that chops wrote`, async function () {
    const engine = await engineOrSkip(this, version)
    await withEnvironment(TOLD, async () => {
      const written = await writeDirectory(engine, {seed: 24})
      const original = await snapshotBy(engine, written)
      expect((await topicsOf(written)).filter((topic) => !topic.startsWith('persistent://mine/own/'))).to.be
        .empty

      const dir = copyOf(written)
      await run('db', 'check', dir, '--severity', 'C')
      const copies: JudgedCollection[] = []
      for (const {database, name, tenant, ...collection} of original.collections) {
        const file = join(temporaryFolder(), 'snapshot')
        const from = ['-c', name, '-d', database, '--tenant', tenant]
        await run('collection', 'snapshot', dir, ...from, '-o', file)
        const copy = {...collection, database: 'copies', name: `${name}-of-${tenant}`, tenant}
        await run('collection', 'restore', dir, '-i', file, '-y', '--as', copy.name, '-d', copy.database)
        copies.push(copy)
      }

      const collections = [...original.collections, ...copies]
      const restored = await judgeBy(engine, copyOf(dir), {collections}, {tolerance: NORMALISED})
      expect(restored.problems).to.deep.equal([])

      await run('wal', 'commit', dir, '-y')
      await run('wal', 'clean', dir, '-y')
      await run('hnsw', 'rebuild', dir, '--all', '--fragmentation', '0', '-y')
      const {problems} = await judgeBy(engine, dir, {collections}, {tolerance: NORMALISED})
      expect(problems).to.deep.equal([])
    })
  })
}
