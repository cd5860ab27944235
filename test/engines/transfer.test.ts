import {expect} from 'chai'
import {setTimeout as sleep} from 'node:timers/promises'

import type {CollectionPushOutput} from '../../plugins/ops-snapshot/src/commands/collection/push.js'
import type {ExpectedCollection} from '../support/fixtures.js'

import {startChops} from '../support/background.js'
import {chops, chopsJson} from '../support/cli.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {appendManyAdds, locate} from '../support/segments.js'
import {type Engine, engineOrSkip, type EngineVersion} from './support/engines.js'
import {judgeBy, snapshotBy, writeDirectory} from './support/judge.js'
import {Gate, passOn, RunningServer} from './support/server.js'

/** What f32 loses when a cosine vector is normalised and multiplied again, once on either side. */
const TOLERANCE = 1e-6
const TOKEN = 'a-secret-token'

/**
 * The generations that speak version 2 of the interface, each with a directory that it wrote itself: it can hold no lists
 * that it does not know, and no float to a last bit that it would not keep (see README.md).
 */
const SERVERS = ['1.5.9', '1.0.16', '0.6.3'] as const satisfies EngineVersion[]

for (const version of SERVERS) {
  describe(`collections moved to and from a server of Chroma ${version}`, function () {
    this.timeout(600_000)
    let engine: Engine
    let source: string
    let collections: ExpectedCollection[]

    before(async function () {
      engine = await engineOrSkip(this, version)
      source = await writeDirectory(engine)
      ;({collections} = await snapshotBy(engine, source))
    })

    it('are equal there, and in a directory that they are pulled into, and go on being written', async () => {
      const server = await RunningServer.start(engine, temporaryFolder())
      const target = unpackFixture(`chroma-${version}`).persistDir
      const before = await snapshotBy(engine, target)
      const pulled: ExpectedCollection[] = []
      try {
        for (const {database, name, tenant} of collections) {
          const place = ['-c', name, '-d', database, '--tenant', tenant, '--url', server.url, '--yes']
          const pushed = await chops(['collection', 'push', source, ...place])
          expect(pushed.code, pushed.stderr).to.equal(0)
          const copy = `copy-${pulled.length}`
          const got = await chops(['collection', 'pull', target, ...place, '--as', copy])
          expect(got.code, got.stderr).to.equal(0)
          const original = collections.find((one) => one.name === name && one.tenant === tenant)
          if (original) pulled.push({...original, name: copy})
        }
      } finally {
        await server.stop()
      }

      const there = await judgeBy(engine, server.persistDir, {collections}, {tolerance: TOLERANCE})
      expect(there.problems).to.deep.equal([])
      const here = await judgeBy(
        engine,
        target,
        {collections: [...before.collections, ...pulled]},
        {tolerance: TOLERANCE},
      )
      expect(here.problems).to.deep.equal([])
    })
  })
}

describe('a push of 20,000 records to a server of Chroma 1.5.9', function () {
  this.timeout(900_000)
  const COUNT = 20_016
  let engine: Engine
  let persistDir: string
  let expected: ExpectedCollection[]
  let server: RunningServer

  before(async function () {
    engine = await engineOrSkip(this, '1.5.9')
    ;({persistDir} = unpackFixture('chroma-1.5.9'))
    const {topic} = await locate(persistDir, 'wal_only')
    await appendManyAdds(persistDir, topic, COUNT - 16, 8)
    const {collections} = await snapshotBy(engine, persistDir)
    expected = collections.filter(({name}) => name === 'wal_only')
    server = await RunningServer.start(engine, temporaryFolder())
  })

  after(() => server?.stop())

  const push = (url: string, ...more: string[]): string[] => [
    'collection',
    'push',
    persistDir,
    '-c',
    'wal_only',
    '--url',
    url,
    '--yes',
    ...more,
  ]

  const untilThereAre = async (count: number): Promise<void> => {
    while ((await server.count('wal_only')) < count) await sleep(50)
  }

  it('survives being killed, the server being stopped and started under it', async () => {
    const first = startChops(push(server.url, '--batch-size', '200'))
    await untilThereAre(2000)
    first.child.kill('SIGKILL')
    await first.ended

    const second = startChops(push(server.url, '--batch-size', '200', '--resume'))
    await untilThereAre(8000)
    await server.stop()
    await sleep(1000)
    await server.start()
    const {code, stderr} = await second.ended
    expect(code, stderr).to.equal(0)
    expect(await server.count('wal_only')).to.equal(COUNT)
    const {json} = await chopsJson<CollectionPushOutput>(push(server.url, '--resume'))
    expect(json.pushed).to.deep.include({sent: 0, skipped: COUNT})
  })

  it('refuses a wrong token and a full server with a clear error, and loses nothing', async () => {
    const gate = await new Gate(server.url, TOKEN).open()
    try {
      const wrong = await chops(push(gate.url, '--as', 'gated'), {env: {CHROMA_TOKEN: 'another'}})
      expect(wrong.code).to.equal(2)
      expect(wrong.stderr).to.contain('refuses the token').and.not.contain('another')
      let upserts = 0
      gate.answer = (path) => (path.endsWith('/upsert') && upserts++ > 3 ? 507 : undefined)
      const full = await chops(push(gate.url, '--as', 'gated'), {env: {CHROMA_TOKEN: TOKEN}})
      expect(full.code).to.equal(4)
      expect(full.stderr).to.contain('has no room left').and.not.contain(TOKEN)
      const there = await server.count('gated')
      expect(there).to.be.within(1, COUNT - 1)
      gate.answer = passOn
      const again = await chopsJson<CollectionPushOutput>(push(gate.url, '--as', 'gated', '--resume'), {
        env: {CHROMA_TOKEN: TOKEN},
      })
      expect(again.json.pushed).to.deep.include({sent: COUNT - there, skipped: there})
    } finally {
      gate.close()
    }
  })

  it('leaves every record as it was, in a Chroma that goes on writing', async () => {
    await server.stop()
    const gated = expected.map((collection) => ({...collection, name: 'gated'}))
    const {problems} = await judgeBy(
      engine,
      server.persistDir,
      {collections: [...expected, ...gated]},
      {ownIndex: true, tolerance: TOLERANCE},
    )
    expect(problems).to.deep.equal([])
  })
})
