import {expect} from 'chai'
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {isBuiltin} from 'node:module'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

interface Package {
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  oclif?: {plugins?: string[]}
  optionalDependencies?: Record<string, string>
  scripts?: Record<string, string>
}

const folders = ['.', 'core', ...readdirSync(join(ROOT, 'plugins')).map((name) => `plugins/${name}`)]
const packages = folders.map((folder) => ({folder, json: read<Package>(`${folder}/package.json`)}))
const root = read<Package>('package.json')
const page = readFileSync(join(ROOT, 'docs/dependencies.md'), 'utf8')

/** Packages from a registry, by name. */
function declared({dependencies, devDependencies, optionalDependencies}: Package): string[] {
  const all = Object.keys({...dependencies, ...devDependencies, ...optionalDependencies})
  return all.filter((name) => !name.startsWith('@chops/'))
}

describe('the dependencies', () => {
  const all = new Set(packages.flatMap(({json}) => declared(json)))

  it('are each on the page with the version that is installed, and no other is', () => {
    const onPage = [...page.matchAll(/\*\*`(?<name>[^`]+)`\*\*\s+(?<version>[\d.]+\d)/g)].map(
      ({groups}) => groups,
    )
    expect(onPage.map((entry) => entry?.name)).to.have.members([...all])
    const lock = read<{packages: Record<string, {version: string}>}>('package-lock.json').packages
    for (const entry of onPage) {
      const places = folders.map((folder) => join(folder, 'node_modules', entry?.name ?? ''))
      const place = places.findLast((path) => lock[path] !== undefined) ?? ''
      expect(entry?.version, entry?.name).to.equal(lock[place]?.version)
    }
  })

  it('are declared by the package that imports them', () => {
    for (const {folder, json} of packages) {
      const own = new Set(declared({...json, devDependencies: {}}))
      const imported = importedIn(sources(join(folder, 'src')))
      expect(
        [...imported].filter((name) => !own.has(name)),
        folder,
      ).to.deep.equal([])
    }

    const elsewhere = importedIn(['bench', 'scripts', 'test'].flatMap((folder) => sources(folder)))
    expect([...elsewhere].filter((name) => !all.has(name))).to.deep.equal([])
  })

  it('are each imported, or run by a script or a test', () => {
    const code = ['bench', 'core/src', 'plugins', 'scripts', 'src', 'test'].flatMap((folder) =>
      sources(folder),
    )
    const imported = importedIn([...code, join(ROOT, 'eslint.config.js')])
    const scripts = [
      ...Object.values(root.scripts ?? {}),
      ...sources('scripts').map((file) => readFileSync(file, 'utf8')),
      readFileSync(join(ROOT, '.mocharc.json'), 'utf8'),
    ]
    const inScript = (word: string): boolean => scripts.some((text) => new RegExp(`\\b${word}\\b`).test(text))
    const byPath = (name: string): boolean =>
      code.some((file) => readFileSync(file, 'utf8').includes(`node_modules/${name}/`))
    const isUsed = (name: string): boolean =>
      imported.has(name) ||
      (root.oclif?.plugins?.includes(name) ?? false) ||
      [name, ...binaries(name)].some((word) => inScript(word)) ||
      byPath(name)
    const typed = (name: string): string => name.replace('@types/', '')
    const unused = [...all].filter((name) =>
      name.startsWith('@types/') ? typed(name) !== 'node' && !all.has(typed(name)) : !isUsed(name),
    )
    expect(unused).to.deep.equal([])
  })
})

function read<T>(path: string): T {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as T
}

/** What `node_modules/.bin` gets of a package. */
function binaries(name: string): string[] {
  const {bin} = read<{bin?: Record<string, string> | string}>(`node_modules/${name}/package.json`)
  return typeof bin === 'object' ? Object.keys(bin) : []
}

function sources(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return []
  return readdirSync(join(ROOT, folder), {encoding: 'utf8', recursive: true})
    .filter((name) => /\.(?:ts|js|mjs)$/.test(name) && !/(?:^|\/)(?:dist|node_modules|fixtures)\//.test(name))
    .map((name) => join(ROOT, folder, name))
}

const SPECIFIER = /(?:^|[\s}])(?:from|import)\s*\(?\s*'(?<name>(?:@[\w-]+\/)?[\w.-]+)[^']*'/gm
const REQUIRED = /\b(?:require|resolve)\('(?<name>(?:@[\w-]+\/)?[\w.-]+)[^']*'\)/g

/** The packages that files import, statically or when they get there; not Node's own and not chops's. */
function importedIn(files: string[]): Set<string> {
  const texts = files.map((file) => readFileSync(file, 'utf8'))
  const names = [SPECIFIER, REQUIRED].flatMap((pattern) =>
    texts.flatMap((text) => [...text.matchAll(pattern)].map(({groups}) => groups?.name ?? '')),
  )
  return new Set(names.filter((name) => !/^(?:\.|@chops\/|node$)/.test(name) && !isBuiltin(name)))
}
