import {openPersistDir} from '@chops/core/persist-dir'
import {expect} from 'chai'
import {execFileSync} from 'node:child_process'

import {describeWal, type WalInfo} from '../../plugins/ops-wal/src/services/wal-info.js'
import {chops, chopsJson} from '../support/cli.js'
import {type FixtureName, FIXTURES, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {renameTopics, withDatabase} from '../support/sql.js'

async function walInfo(persistDir: string): Promise<WalInfo> {
  const dir = await openPersistDir(persistDir)
  const info = await describeWal(dir)
  await dir.close()
  return info
}

/** Rows a Chroma purged by itself are gone; the rest of what was written waits or is kept. */
const CHURNED: Record<FixtureName, [count: number, committed: number, pending: number]> = {
  'chroma-0.4.24': [420, 300, 120],
  'chroma-0.5.5': [420, 300, 120],
  'chroma-0.5.23': [21, 1, 20],
  'chroma-0.6.3': [21, 1, 20],
  'chroma-1.0.16': [21, 1, 20],
  'chroma-1.5.9': [21, 1, 20],
  'chroma-0.4.24-then-1.5.9': [447, 445, 2],
  'chroma-0.5.5-then-1.0.16': [447, 445, 2],
  'chroma-0.6.3-then-1.5.9': [48, 1, 47],
}

describe('wal info', () => {
  for (const name of FIXTURES) {
    it(`counts every topic of ${name} by what its segments have applied`, async () => {
      const {persistDir} = unpackFixture(name)
      const {code, json} = await chopsJson<WalInfo>(['wal', 'info', persistDir])
      expect(code).to.equal(0)
      expectToMatchSchema('wal-info', json)
      const churned = json.topics.find(
        (topic) => topic.collection === 'churned' && topic.tenant === 'default_tenant',
      )
      expect([churned?.count, churned?.committed, churned?.pending]).to.deep.equal(CHURNED[name])
      expect(json.topics.filter((topic) => topic.orphan)).to.deep.equal([])
    })
  }

  it('knows the collections of a Chroma that was told another topic_namespace', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const before = (await walInfo(persistDir)).topics
    await renameTopics(persistDir, 'persistent://acme/own/')
    const renamed = before.map((row) => ({
      ...row,
      topic: row.topic.replace('persistent://default/default/', 'persistent://acme/own/'),
    }))
    expect((await walInfo(persistDir)).topics).to.deep.equal(renamed)
  })

  it('names the purge mode that the engine stored', async () => {
    const modes = new Map<string, string>()
    for (const name of FIXTURES) modes.set(name, (await walInfo(unpackFixture(name).persistDir)).purgeMode)
    expect(modes.get('chroma-0.4.24')).to.equal('unset')
    expect(modes.get('chroma-0.6.3')).to.equal('auto')
    expect(modes.get('chroma-1.5.9')).to.equal('auto')
    expect(modes.get('chroma-0.4.24-then-1.5.9')).to.equal('off')
  })

  it('lists the topic that a deleted collection left behind as an orphan', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const topic = 'persistent://default/default/00000000-0000-4000-8000-000000000000'
    await withDatabase(persistDir, (db) =>
      db.run("INSERT INTO embeddings_queue (operation, topic, id) VALUES (3, ?, 'gone')", [topic]),
    )
    const {topics} = await walInfo(persistDir)
    expect(topics.find((candidate) => candidate.topic === topic)).to.include({
      collection: null,
      committed: 0,
      count: 1,
      orphan: true,
      pending: 0,
    })
    const {stdout} = await chops(['wal', 'info', persistDir])
    expect(stdout).to.match(/orphan: no collection has this id .*000000000000 │ 1 /)
  })

  it('says the purge mode in words and prints a row per topic', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const {stdout} = await chops(['wal', 'info', persistDir])
    expect(stdout).to.include('WAL config is set to: auto purge.')
    expect(stdout).to.match(/│ churned +│ acme +│ prod +│ persistent:\S+ │ 4 +│ 1 +│ 3 +│/)
  })

  it('prints plain text into a pipe, without colours or progress', () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const text = execFileSync(process.execPath, ['bin/run.js', 'wal', 'info', persistDir], {encoding: 'utf8'})
    expect(text).not.to.include('\u001B')
  })
})
