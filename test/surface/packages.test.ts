import {expect} from 'chai'
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

interface Package {
  dependencies?: Record<string, string>
  engines: {node: string}
  files: string[]
  license: string
  name: string
  oclif?: {plugins?: string[]}
  optionalDependencies?: Record<string, string>
  version: string
}

interface Folder {
  folder: string
  json: Package
}

const read = (folder: string): Folder => ({
  folder,
  json: JSON.parse(readFileSync(`${ROOT}/${folder}/package.json`, 'utf8')) as Package,
})
const plugins = readdirSync(`${ROOT}/plugins`).map((name) => read(`plugins/${name}`))
const root = read('.')
const packages = [root, read('core'), ...plugins]

describe('the packages', () => {
  it('have one version, one licence and one Node range', () => {
    for (const field of ['version', 'license'] as const) {
      expect(new Set(packages.map(({json}) => json[field]))).to.have.property('size', 1)
    }

    expect(new Set(packages.map(({json}) => json.engines.node))).to.have.property('size', 1)
  })

  it('ask for the same version of a dependency everywhere, and for each other at the current version', () => {
    const wanted = new Map<string, string>()
    for (const {folder, json} of packages) {
      for (const [name, range] of Object.entries({...json.dependencies, ...json.optionalDependencies})) {
        expect(wanted.get(name) ?? range, `${name} in ${folder}`).to.equal(range)
        wanted.set(name, range)
        if (name.startsWith('@chops/')) expect(range, `${name} in ${folder}`).to.equal(json.version)
      }
    }
  })

  it('let a plugin stand on the core alone', () => {
    for (const {folder, json} of plugins) {
      const own = Object.keys(json.dependencies ?? {}).filter((name) => name.startsWith('@chops/'))
      expect(own, folder).to.deep.equal(['@chops/core'])
      for (const file of sources(`${ROOT}/${folder}/src`)) {
        expect(readFileSync(file, 'utf8'), file).not.to.match(/from '@chops\/(?!core\b)/)
      }
    }
  })

  it('are all bundled by the CLI', () => {
    expect(root.json.oclif?.plugins).to.include.members(plugins.map(({json}) => json.name))
    expect(root.json.dependencies).to.include.keys(plugins.map(({json}) => json.name))
  })

  it('load native modules and @oclif/table only where they are used', () => {
    const statically =
      /^import (?!type)[^\n]* from '(hnswlib-node|usearch|sqlite3|node:sqlite|@oclif\/table|listr2)'/m
    const users = sources(`${ROOT}/core/src`).filter((file) => statically.test(readFileSync(file, 'utf8')))
    expect(users.map((file) => file.replace(`${ROOT}/core/src/`, ''))).to.have.members([
      'output/ink-table.ts',
      'command/tasks.ts',
    ])
  })
})

/** A group without commands yet has no sources. */
function sources(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, {encoding: 'utf8', recursive: true})
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`)
}
