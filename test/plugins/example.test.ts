import {expect} from 'chai'
import {cpSync} from 'node:fs'
import {join} from 'node:path'

import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {type Installation, installCli, lendNativeModules, npm, ROOT} from './support/npm.js'
import {type Registry, startRegistry} from './support/registry.js'

/** Node with SQLite built in, which needs no native module. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const HAS_SQLITE = major > 22 || (major === 22 && minor >= 16)

describe('with a registry', () => {
  const {expected, persistDir} = unpackFixture('chroma-1.5.9')
  let registry: Registry
  let installed: Installation

  before(async () => {
    registry = await startRegistry()
    await npm(['publish', '--workspaces', '--include-workspace-root'], {env: registry.env})
    installed = await installCli(registry.env)
  })

  after(() => registry.stop())

  it('a CLI without any compiled module says what is missing, and does everything else', async () => {
    const info = await installed.chops('db', 'info', persistDir)
    if (HAS_SQLITE) {
      expect(info.code, info.stderr).to.equal(0)
      const copy = unpackFixture('chroma-1.5.9').persistDir
      for (const line of [
        ['hnsw', 'info', copy, '-c', 'churned', '--verbose'],
        ['hnsw', 'rebuild', copy, '-c', 'churned', '--yes'],
        ['wal', 'export', copy, '--out', join(temporaryFolder(), 'log.jsonl')],
        ['wal', 'clean', copy, '--yes'],
      ]) {
        const {code, stderr} = await installed.chops(...line)
        expect(code, `${line.join(' ')}: ${stderr}`).to.equal(0)
      }

      const pending = unpackFixture('chroma-0.6.3').persistDir
      const {code, stderr} = await installed.chops('wal', 'commit', pending, '--yes')
      if (code !== 0) expect(stderr).to.match(/npm install hnswlib-node/)
      expect(stderr).not.to.match(/bug in chops|^\s+at /m)
    } else {
      expect(info.code).to.equal(2)
      expect(info.stderr).to.match(/sqlite3.*\n.*(npm|Node)/)
    }
  })

  it('the plugin in examples/ is built against the published core, installed, and runs', async () => {
    const folder = join(temporaryFolder(), 'plugin-ids')
    cpSync(join(ROOT, 'examples/plugin-ids'), folder, {
      filter: (path) => !/node_modules|dist$/.test(path),
      recursive: true,
    })
    await npm(['install', '--ignore-scripts'], {cwd: folder, env: registry.env})
    const env = {...registry.env, npm_config_registry: registry.url}
    await npm(['publish'], {cwd: folder, env})
    const tarball = `${registry.url}chops-plugin-ids/-/chops-plugin-ids-1.0.0.tgz`
    const {code, stderr} = await installed.chops('plugins', 'install', tarball)
    expect(code, stderr).to.equal(0)
    lendNativeModules(join(installed.data, 'node_modules'))
    const listed = await installed.chops('ids', 'list', persistDir, '--collection', 'odd-name_1', '--json')
    expect(listed.code, listed.stderr).to.equal(0)
    const {ids} = JSON.parse(listed.stdout) as {ids: string[]}
    const known = expected.collections.find(({name}) => name === 'odd-name_1')
    expect(ids).to.have.members(known?.records.map(({id}) => id) ?? [])
    expect((await installed.chops('complete', 'zsh', '--', 'ids', '')).stdout).to.match(/^list:List the ids/m)
  })
})
