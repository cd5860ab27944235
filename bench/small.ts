import {cp} from 'node:fs/promises'
import {join} from 'node:path'

import {temporaryFolder, unpackFixture} from '../test/support/fixtures.js'
import {chops} from './chops.js'
import {emptyCli} from './data/empty-cli.js'
import {pythonTool} from './data/python-tool.js'
import {compare, type Row} from './results.js'
import {type Command, interleave} from './run.js'

const ROUNDS = 11
const VERSION_GOAL = 1.3
const PYTHON_GOAL = 0.2
const HELP_GOAL = 0.15

const AGAINST_PYTHON = 'db info, small directory'
const COLLECTION = 'churned'

/** Starting, completing a name, and `db info` on a directory where starting is most of the work. */
export async function measureSmall(): Promise<Row[]> {
  const {persistDir} = unpackFixture('chroma-0.6.3')
  const empty = await emptyCli()
  const python = await pythonTool()
  const node = (...args: string[]): Command => ({args, file: process.execPath, isNode: true})
  const commands: Record<string, Command> = {
    help: chops('--help'),
    version: chops('--version'),
    emptyVersion: node(empty, '--version'),
    complete: chops('complete', 'zsh', '--', 'hnsw', 'info', persistDir, '--collection', ''),
    info: chops('db', 'info', persistDir),
    hnswInfo: chops('hnsw', 'info', persistDir, '--collection', COLLECTION),
    emptyCommand: node(empty, 'nothing'),
  }
  if ('path' in python) {
    // Chroma may write to what it opens.
    const copy = join(temporaryFolder(), 'persist')
    await cp(persistDir, copy, {recursive: true})
    commands.python = {args: ['db', 'info', copy], file: python.path}
    commands.pythonHnswInfo = {args: ['hnsw', 'info', copy, '--collection', COLLECTION], file: python.path}
    commands.pythonHelp = {args: ['--help'], file: python.path}
  }

  const runs = await interleave(commands, {rounds: ROUNDS})
  const measured = (name: string, key: string) => ({name, runs: runs.get(key) ?? []})
  const nothing = measured('empty oclif CLI, empty command', 'emptyCommand')
  const help = measured('--help', 'help')
  const info = measured(AGAINST_PYTHON, 'info')
  return [
    compare(measured('--version', 'version'), measured('empty oclif CLI, --version', 'emptyVersion'), {
      ratio: VERSION_GOAL,
    }),
    compare(measured('completion of a collection', 'complete'), nothing),
    compare(help, nothing),
    compare(info, nothing),
    ...('path' in python
      ? [
          compare(help, measured('Python tool, --help', 'pythonHelp'), {ratio: HELP_GOAL}),
          compare(info, measured('Python tool, db info', 'python'), {ratio: PYTHON_GOAL}),
          compare(
            measured('hnsw info, small directory', 'hnswInfo'),
            measured('Python tool, hnsw info', 'pythonHnswInfo'),
            {ratio: PYTHON_GOAL},
          ),
        ]
      : [{name: `${AGAINST_PYTHON}, beside the Python tool`, ...python}]),
  ]
}
