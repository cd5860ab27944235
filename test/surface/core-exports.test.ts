import {expect} from 'chai'
import {readFileSync, writeFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'

const CORE = fileURLToPath(new URL('../../core/', import.meta.url))
const SNAPSHOT = fileURLToPath(new URL('core-exports.json', import.meta.url))
const DOCUMENT = fileURLToPath(new URL('../../docs/plugins.md', import.meta.url))

const {exports: entries} = JSON.parse(readFileSync(`${CORE}/package.json`, 'utf8')) as {
  exports: Record<string, string>
}
const modules = Object.entries(entries).filter(([, file]) => file.endsWith('.js'))

/** The names of an entry point, types too, from what the compiler declares. */
function names(file: string): string[] {
  const declared = readFileSync(`${CORE}/${file.replace(/\.js$/, '.d.ts')}`, 'utf8')
  const lists = [...declared.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = '']) =>
    list.split(','),
  )
  const own = [
    ...declared.matchAll(
      /^export (?:declare )?(?:abstract )?(?:class|const|function|interface|type) (\w+)/gm,
    ),
  ]
  return [
    ...lists
      .map((name) =>
        name
          .trim()
          .replace(/^type /, '')
          .replace(/^\w+ as /, ''),
      )
      .filter(Boolean),
    ...own.map(([, name = '']) => name),
  ].sort()
}

const surface = Object.fromEntries(
  modules.map(([entry, file]) => [`@chops/core${entry.slice(1)}`, names(file)]),
)

describe('the surface of @chops/core', () => {
  it('is the one in core-exports.json, for plugins of others depend on it (UPDATE_SNAPSHOT=1 writes it anew)', () => {
    if (process.env.UPDATE_SNAPSHOT) writeFileSync(SNAPSHOT, `${JSON.stringify(surface, null, 2)}\n`)
    expect(surface).to.deep.equal(JSON.parse(readFileSync(SNAPSHOT, 'utf8')))
  })

  it('has every entry point explained in docs/plugins.md', () => {
    const listed = [...readFileSync(DOCUMENT, 'utf8').matchAll(/^\| `(@chops\/core\/[\w-]+)`/gm)].map(
      ([, name]) => name,
    )
    expect(listed).to.have.members(Object.keys(surface))
  })

  it('exports what it declares', async () => {
    for (const [entry, file] of modules) {
      const found = Object.keys((await import(`${CORE}/${file}`)) as object)
      expect(names(file), entry).to.include.members(found)
    }
  })
})
