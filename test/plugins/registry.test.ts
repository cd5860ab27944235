import {expect} from 'chai'
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import {join} from 'node:path'

import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {type Installation, installCli, lendNativeModules, npm, ROOT} from './support/npm.js'
import {type Registry, startRegistry} from './support/registry.js'

const STALE = join(ROOT, 'plugins/ops-hnsw/dist/commands/hnsw/stale.js')
const INFO = 'node_modules/@chops/hnsw/dist/commands/hnsw/info.js'
const REBUILD = 'node_modules/@chops/hnsw/dist/commands/hnsw/rebuild.js'

/** The whole way of a user: from the registry to a plugin and back. The tests build on each other. */
describe('the packages in a registry', () => {
  const {persistDir} = unpackFixture('chroma-1.5.9')
  const info = ['hnsw', 'info', persistDir, '--collection', 'churned']
  let registry: Registry
  let installed: Installation

  before(async () => {
    registry = await startRegistry()
    mkdirSync(join(STALE, '..'), {recursive: true})
    writeFileSync(STALE, 'export default class {}')
    await npm(['publish', '--workspaces', '--include-workspace-root'], {env: registry.env})
    installed = await installCli(registry.env)
    lendNativeModules(join(installed.cli, 'node_modules'))
  })

  after(() => registry.stop())

  it('are built anew when they are packed, and carry their manifest and licence', () => {
    const modules = join(installed.cli, 'node_modules/@chops')
    for (const name of readdirSync(modules)) {
      expect(lstatSync(join(modules, name)).isSymbolicLink(), name).to.equal(false)
      expect(readdirSync(join(modules, name))).to.include.members(['LICENSE', 'README.md', 'package.json'])
      if (name !== 'core') expect(readdirSync(join(modules, name))).to.include('oclif.manifest.json')
    }

    const files = readdirSync(installed.cli, {encoding: 'utf8', recursive: true})
    expect(files).to.include('oclif.manifest.json')
    expect(
      files.filter((file) => /tsbuildinfo|stale\.js|@chops\/.*\.ts$(?<!\.d\.ts)/.test(file)),
    ).to.deep.equal([])
  })

  it('weigh less than 2 MB together', async () => {
    const packed = JSON.parse(
      await npm([
        'pack',
        '--dry-run',
        '--json',
        '--ignore-scripts',
        '--workspaces',
        '--include-workspace-root',
      ]),
    ) as {name: string; size: number}[]
    expect(packed.map(({name}) => name)).to.include.members(['@chops/cli', '@chops/core', '@chops/hnsw'])
    expect(packed.reduce((sum, {size}) => sum + size, 0)).to.be.below(2_000_000)
  })

  it('make a CLI that works in an empty prefix', async () => {
    const {version} = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {version: string}
    expect((await installed.chops('--version')).stdout).to.include(`@chops/cli/${version}`)
    const {code, stderr, stdout} = await installed.chops(...info)
    expect(code, stderr).to.equal(0)
    expect(stdout).to.include('Fragmentation level')
    expect((await installed.chops('plugins')).stdout).to.include('No plugins installed.')
  })

  it('install a plugin over the bundled one', async () => {
    const {code, stderr} = await installed.chops('plugins', 'install', '@chops/hnsw')
    expect(code, stderr).to.equal(0)
    lendNativeModules(join(installed.data, 'node_modules'))
    expect((await installed.chops('plugins')).stdout).to.match(/@chops\/hnsw 0\.1\.0/)
    appendFileSync(join(installed.data, INFO), "\nprocess.stderr.write('the installed plugin runs')\n")
    const {stderr: said, stdout} = await installed.chops(...info)
    expect(stdout).to.include('Fragmentation level')
    expect(said).to.include('the installed plugin runs')
  })

  it('let maintain run the one that was installed', async () => {
    const mark = join(temporaryFolder(), 'ran')
    const marking = `\n;(await import('node:fs')).writeFileSync(${JSON.stringify(mark)}, '')\n`
    appendFileSync(join(installed.data, REBUILD), marking)
    const {persistDir: fragmented} = unpackFixture('chroma-1.5.9')
    const {code, stderr} = await installed.chops('maintain', fragmented, '--yes', '--fragmentation', '0.1')
    expect(code, stderr).to.equal(0)
    expect(existsSync(mark)).to.equal(true)
  })

  it('update it', async () => {
    const folder = temporaryFolder()
    await npm(
      ['install', '--no-save', '--prefix', folder, '--ignore-scripts', '--omit=optional', '@chops/hnsw'],
      {
        cwd: folder,
        env: registry.env,
      },
    )
    const next = join(folder, 'node_modules/@chops/hnsw')
    await npm(['version', '0.1.1', '--no-git-tag-version'], {cwd: next})
    appendFileSync(join(folder, INFO), "\nprocess.stderr.write('0.1.1 runs')\n")
    await npm(['publish', '--ignore-scripts'], {cwd: next, env: registry.env})
    const {code, stderr} = await installed.chops('plugins', 'update')
    expect(code, stderr).to.equal(0)
    lendNativeModules(join(installed.data, 'node_modules'))
    expect((await installed.chops('plugins')).stdout).to.match(/@chops\/hnsw 0\.1\.1/)
    expect((await installed.chops(...info)).stderr)
      .to.include('0.1.1 runs')
      .and.not.include('installed plugin')
  })

  it('uninstall it, and are back at the bundled one', async () => {
    const {code, stderr} = await installed.chops('plugins', 'uninstall', '@chops/hnsw')
    expect(code, stderr).to.equal(0)
    expect((await installed.chops('plugins')).stdout).to.include('No plugins installed.')
    expect(existsSync(join(installed.data, INFO))).to.equal(false)
    const {stderr: said, stdout} = await installed.chops(...info)
    expect(stdout).to.include('Fragmentation level')
    expect(said).to.equal('')
  })

  it('name the plugin of a group that is not installed, which then brings it', async () => {
    const file = join(installed.cli, 'package.json')
    const json = JSON.parse(readFileSync(file, 'utf8')) as {oclif: {plugins: string[]}}
    json.oclif.plugins = json.oclif.plugins.filter((name) => name !== '@chops/wal')
    writeFileSync(file, JSON.stringify(json))
    rmSync(join(installed.cli, 'node_modules/@chops/wal'), {force: true, recursive: true})
    const {code, stderr} = await installed.chops('wal', 'info', persistDir)
    expect(code).to.equal(2)
    expect(stderr).to.include('chops plugins install @chops/wal')
    await installed.chops('plugins', 'install', '@chops/wal')
    lendNativeModules(join(installed.data, 'node_modules'))
    expect((await installed.chops('wal', 'info', persistDir)).stdout).to.include('WAL Info')
  })
})
