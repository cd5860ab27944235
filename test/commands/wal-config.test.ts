import {expect} from 'chai'

import type {WalConfig} from '../../plugins/ops-wal/src/services/wal-config.js'

import {expectRefusals} from '../support/refusals.js'
import {chops, chopsJson} from '../support/cli.js'
import {type FixtureName, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

const TYPE = 'EmbeddingsQueueConfigurationInternal'

interface ConfigRow {
  config_json_str: string
  id: number
}

async function storedConfig(persistDir: string): Promise<ConfigRow[]> {
  const rows = await withDatabase(persistDir, (db) =>
    db.all<ConfigRow>('SELECT id, config_json_str FROM embeddings_queue_config'),
  )
  return rows.map((row) => ({...row}))
}

describe('wal config', () => {
  const written: [name: FixtureName, purge: 'auto' | 'off', json: string][] = [
    ['chroma-0.5.23', 'off', `{"automatically_purge": false, "_type": "${TYPE}"}`],
    ['chroma-0.6.3', 'off', `{"automatically_purge": false, "_type": "${TYPE}"}`],
    ['chroma-1.5.9', 'off', `{"automatically_purge":false,"_type":"${TYPE}"}`],
    ['chroma-0.5.5-then-1.0.16', 'auto', `{"automatically_purge":true,"_type":"${TYPE}"}`],
  ]
  for (const [name, purge, json] of written) {
    it(`sets ${purge} in ${name} byte by byte as its engine writes it`, async () => {
      const {persistDir} = unpackFixture(name)
      const args = ['wal', 'config', persistDir, '--purge', purge, '-y']
      const {code, json: result} = await chopsJson<WalConfig>(args)
      expect(code).to.equal(0)
      expectToMatchSchema('wal-config', result)
      const purgeModeBefore = purge === 'auto' ? 'off' : 'auto'
      expect(result).to.include({purgeMode: purge, purgeModeBefore, status: 'done', wanted: purge})
      expect(await storedConfig(persistDir)).to.deep.equal([{config_json_str: json, id: 1}])
    })
  }

  it('keeps what else the configuration says, and where it is', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    await withDatabase(persistDir, (db) =>
      db.run('UPDATE embeddings_queue_config SET id = 7, config_json_str = ?', [
        '{"later": [1, null], "automatically_purge": true, "_type": "Own"}',
      ]),
    )
    expect((await chops(['wal', 'config', persistDir, '--purge', 'off', '-y'])).code).to.equal(0)
    const json = '{"later": [1,null], "automatically_purge": false, "_type": "Own"}'
    expect(await storedConfig(persistDir)).to.deep.equal([{config_json_str: json, id: 7}])
  })

  it('writes a configuration where no engine has decided yet', async () => {
    const {persistDir} = unpackFixture('chroma-1.0.16')
    await withDatabase(persistDir, (db) => db.run('DELETE FROM embeddings_queue_config'))
    const {json} = await chopsJson<WalConfig>(['wal', 'config', persistDir, '--purge', 'off', '-y'])
    expect(json).to.include({purgeMode: 'off', purgeModeBefore: 'unset', status: 'done'})
    const config = `{"automatically_purge":false,"_type":"${TYPE}"}`
    expect(await storedConfig(persistDir)).to.deep.equal([{config_json_str: config, id: 1}])
  })

  it('shows the mode without --purge, and changes nothing', async () => {
    const {persistDir} = unpackFixture('chroma-0.4.24-then-1.5.9')
    const before = fingerprint(persistDir)
    const {code, stdout} = await chops(['wal', 'config', persistDir])
    expect(code).to.equal(0)
    expect(stdout).to.match(/│ Automatically purge \(automatically_purge\) │ False │/)
    const {json} = await chopsJson<WalConfig>(['wal', 'config', persistDir])
    expectToMatchSchema('wal-config', json)
    expect(json).to.include({purgeMode: 'off', status: 'nothing-to-do', wanted: null})
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('says so when the mode is the wanted one already, without a question', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const {code, stdout} = await chops(['wal', 'config', persistDir, '--purge', 'auto'])
    expect(code).to.equal(0)
    expect(stdout).to.include('WAL config is already set to the desired state (auto purge enabled).')
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('changes nothing with --dry-run, on a no, without an answer, or while Chroma runs', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const args = ['wal', 'config', persistDir, '--purge', 'off']
    const dry = await chops([...args, '--dry-run'])
    expect(dry.code).to.equal(0)
    expect(dry.stdout).to.match(
      /│ Automatically purge \(automatically_purge\) │ True \(old\) -> False \(new\) │/,
    )
    const no = await chops(args, {input: 'no\n'})
    expect(no.code).to.equal(0)
    expect(no.stdout).to.include('Cancelled: nothing was changed.')
    await expectRefusals(persistDir, args)
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('takes a yes from a pipe', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {code, stdout} = await chops(['wal', 'config', persistDir, '--purge', 'off'], {input: 'y\ny\n'})
    expect(code).to.equal(0)
    expect(stdout).to.include('WAL config updated successfully!')
  })

  it('names Chroma 0.5.6 where the directory has no such setting', async () => {
    for (const name of ['chroma-0.4.24', 'chroma-0.5.5'] as const) {
      const {persistDir} = unpackFixture(name)
      const before = fingerprint(persistDir)
      const {code, stderr} = await chops(['wal', 'config', persistDir, '--purge', 'auto', '-y'])
      expect(code).to.equal(2)
      expect(stderr).to.include('0.5.6')
      expect(fingerprint(persistDir)).to.deep.equal(before)
    }
  })

  it('takes no other mode', async () => {
    const {code, stderr} = await chops(['wal', 'config', 'anywhere', '--purge', 'never'])
    expect(code).to.equal(2)
    expect(stderr).to.match(/auto.*off/)
  })
})
