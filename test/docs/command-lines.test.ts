import {expect} from 'chai'
import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {type CommandManifest, commandManifests} from '../support/manifests.js'

/** Every command line that somebody may copy from a document has to exist as it stands there. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const DOCUMENTS = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
const BLOCK = /^```(\w*)\n([\s\S]*?)^```/gm
/** A line that a person or a program runs, after a prompt, variables or another program; in YAML the arguments alone. */
const LINE = /(?:^|[\s/(])chops ([a-z][^\n|&;#>)]*)/gm
const YAML_ARGS = /args: \[([^\]]*)\]/g

/** Commands of plugins that are not ours have no manifest in this repository. */
const FOREIGN = /^(help|plugins)\b/

function linesOf(document: string): string[] {
  const text = readFileSync(join(ROOT, document), 'utf8')
  return [...text.matchAll(BLOCK)].flatMap(([, language, content = '']) => {
    // Below a prompt there is output, which names commands in its own way.
    const commands = language === 'console' ? content.replaceAll(/^(?!\$ ).*$/gm, '') : content
    const args = [...content.matchAll(YAML_ARGS)].map(([, list = '']) => list.replaceAll(/[',]/g, ''))
    const lines = [...commands.replaceAll('\\\n', ' ').matchAll(LINE)].map(([, line = '']) => line)
    return [...lines, ...args].map((line) => line.trim())
  })
}

function problemsOf(line: string, commands: ReadonlyMap<string, CommandManifest>): string[] {
  const words = line.split(/\s+/)
  const command = commands.get(words.slice(0, 2).join(' ')) ?? commands.get(words[0] ?? '')
  if (!command) return [`chops ${line}: there is no such command`]
  const names = new Set(
    Object.values(command.flags).flatMap(({aliases = [], allowNo, char, name}) => [
      ...[name, ...aliases].map((long) => `--${long}`),
      ...(allowNo ? [`--no-${name}`] : []),
      ...(char === undefined ? [] : [`-${char}`]),
    ]),
  )
  return words
    .filter((word) => /^--?[a-z]/.test(word))
    .map((word) => word.replace(/=.*/, ''))
    .filter((flag) => flag !== '--help' && !names.has(flag))
    .map((flag) => `chops ${line}: there is no ${flag}`)
}

describe('command lines in documents', () => {
  const commands = commandManifests()

  for (const document of DOCUMENTS) {
    it(`${document} names commands and flags that there are`, () => {
      const lines = linesOf(document).filter((line) => !FOREIGN.test(line))
      expect(lines.flatMap((line) => problemsOf(line, commands))).to.deep.equal([])
    })
  }

  it('are found after prompts, in crontabs, in unit files and in YAML', () => {
    expect(linesOf('README.md')).to.include('wal info ./chroma')
    expect(linesOf('docs/shell.md')).to.include('autocomplete')
  })

  it('are refused when a command or a flag is not there', () => {
    expect(problemsOf('wal cleen ./chroma', commands)).to.have.length(1)
    expect(problemsOf('wal clean ./chroma --yess -y', commands)).to.deep.equal([
      'chops wal clean ./chroma --yess -y: there is no --yess',
    ])
  })
})
