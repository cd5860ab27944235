// Writes docs/chops.1 from the manifests, so that the manual page says what the commands say; with `-` to standard output.
import {readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file) => JSON.parse(readFileSync(join(root, file), 'utf8'))
const {description, version} = read('package.json')
const commands = ['.', ...readdirSync(join(root, 'plugins')).map((name) => `plugins/${name}`)]
  .flatMap((folder) => Object.values(read(`${folder}/oclif.manifest.json`).commands))
  .filter(({hidden}) => !hidden)
  .sort((a, b) => a.id.localeCompare(b.id))

/** Text as roff takes it: no line is a request, hyphens can be searched for and copied. */
const roff = (text) =>
  text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll(/^(?=[.'])/gm, String.raw`\&`)
const fill = (text, id) =>
  text.replaceAll('<%= config.bin %>', 'chops').replaceAll('<%= command.id %>', id.replaceAll(':', ' '))
const paragraphs = (text, id) => roff(fill(text, id)).replaceAll(/\n{2,}/g, '\n.PP\n')

const flag = ({allowNo, char, default: preset, description, helpValue, name, options, summary, type}) => {
  const value = type === 'boolean' ? '' : ` ${options ? options.join('|') : (helpValue ?? 'VALUE')}`
  const names = [...(char ? [`-${char}`] : []), `--${allowNo ? '[no-]' : ''}${name}`].join(', ')
  const known = type !== 'boolean' && preset !== undefined ? ` [default: ${preset}]` : ''
  return `.TP\n.B ${roff(`${names}${value}`)}\n${roff(`${summary ?? description ?? ''}${known}`)}`
}

const command = ({args, description, examples, flags, id, summary}) => {
  const words = Object.values(args).map(({name, required}) => (required ? name : `[${name}]`))
  return [
    `.SS ${roff(['chops', ...id.split(':'), ...words].join(' '))}`,
    roff(summary),
    '.PP',
    paragraphs(description, id),
    ...Object.values(flags)
      .filter(({hidden, name}) => !hidden && name !== 'json')
      .map((each) => flag(each)),
    ...(examples ?? []).flatMap((example) => [
      '.PP',
      roff(fill(example.description, id)),
      '.PP',
      '.in +4n\n.nf',
      roff(fill(example.command, id)),
      '.fi\n.in',
    ]),
  ].join('\n')
}

/** The table of exit codes in README. */
const codes = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^\| (\d+) +\| (.*?) +\|$/gm)].map(
  ([, code, meaning]) => `.TP\n.B ${code}\n${roff(meaning)}`,
)

const page = `.TH CHOPS 1 "" "chops ${version}" "User Commands"
.SH NAME
chops \\- keep Chroma databases healthy
.SH SYNOPSIS
.B chops
.I group command
[PERSIST_DIR] [flags]
.SH DESCRIPTION
${roff(description)}.
.PP
Every command takes the persist directory first: the folder Chroma was started with, which holds chroma.sqlite3.
Without it the directory of CHROMA_PERSIST_DIR is meant; a terminal asks for it.
A command that changes something shows its plan and asks; it refuses while another process has the directory open.
.SH COMMANDS
${commands.map((each) => command(each)).join('\n')}
.SS chops plugins
Lists, installs, updates and uninstalls plugins; see chops plugins \\-\\-help.
.SS chops help
Shows the help of a group or a command.
.SH FLAGS OF ALL COMMANDS
.TP
.B \\-\\-json
One JSON document on standard output and nothing else.
.TP
.B \\-\\-help
The help of the command.
.SH ENVIRONMENT
.TP
.B CHROMA_PERSIST_DIR
The directory when the command line names none.
.TP
.B CHOPS_SQLITE
The SQLite driver: node:sqlite or sqlite3.
.TP
.B NO_COLOR
No colours.
.SH EXIT STATUS
${codes.join('\n')}
`
if (process.argv[2] === '-') process.stdout.write(page)
else writeFileSync(join(root, 'docs/chops.1'), page)
