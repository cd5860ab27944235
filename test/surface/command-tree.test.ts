import {expect} from 'chai'
import {readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SNAPSHOT = fileURLToPath(new URL('commands.json', import.meta.url))

interface Manifest {
  commands: Record<
    string,
    {
      args: Record<string, {required?: boolean}>
      description?: string
      examples?: {command: string; description: string}[]
      flags: Record<
        string,
        {char?: string; helpValue?: string; multiple?: boolean; options?: string[]; type: string}
      >
      summary?: string
    }
  >
}

const manifests = ['.', ...readdirSync(`${ROOT}/plugins`).map((plugin) => `plugins/${plugin}`)].map(
  (folder) => ({
    folder,
    manifest: JSON.parse(readFileSync(`${ROOT}/${folder}/oclif.manifest.json`, 'utf8')) as Manifest,
  }),
)

/** Scripts depend on names, short flags and values; texts may change. */
function surface() {
  return Object.fromEntries(
    manifests
      .flatMap(({folder, manifest}) =>
        Object.entries(manifest.commands).map(([id, {args, flags}]) => [
          id.replaceAll(':', ' '),
          {
            args: Object.entries(args).map(([name, {required}]) => (required ? name : `[${name}]`)),
            flags: Object.entries(flags)
              .map(([name, {char, multiple, options, type}]) =>
                [
                  ...(char ? [`-${char}`] : []),
                  `--${name}`,
                  ...(type === 'boolean' ? [] : [options ? options.join('|') : 'VALUE']),
                  ...(multiple ? ['...'] : []),
                ].join(' '),
              )
              .sort(),
            plugin: folder,
          },
        ]),
      )
      .sort(([a], [b]) => String(a).localeCompare(String(b))),
  )
}

describe('the command tree', () => {
  it('is the one in commands.json (UPDATE_SNAPSHOT=1 writes it anew)', () => {
    if (process.env.UPDATE_SNAPSHOT) writeFileSync(SNAPSHOT, `${JSON.stringify(surface(), null, 2)}\n`)
    expect(surface()).to.deep.equal(JSON.parse(readFileSync(SNAPSHOT, 'utf8')))
  })

  for (const {manifest} of manifests) {
    for (const [id, {description, examples, summary}] of Object.entries(manifest.commands)) {
      it(`${id.replaceAll(':', ' ')} has a summary, a description and examples`, () => {
        expect(summary).to.match(/^[A-Z].*\.$/)
        expect(description).to.match(/\S{3}/)
        expect(examples).to.be.an('array').that.is.not.empty
        for (const example of examples ?? []) {
          expect(example.command).to.match(/^<%= config\.bin %> <%= command\.id %>/)
          expect(example.description).to.match(/:$/)
        }
      })
    }
  }
})
