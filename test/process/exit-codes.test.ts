import {expect} from 'chai'
import {spawnSync} from 'node:child_process'
import {existsSync, readdirSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {chops, chopsJson} from '../support/cli.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {withDatabase} from '../support/sql.js'
import {RUN_CHOPS} from '../support/terminal.js'
import {fingerprint} from '../support/untouched.js'

/** A module that Node loads first: it replaces a function of `node:fs/promises`. */
function preload(body: string): Record<string, string> {
  const source = `import {syncBuiltinESMExports} from 'node:module'
    import fs from 'node:fs/promises'
    ${body}
    syncBuiltinESMExports()`
  return {NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(source)}`}
}

interface Case {
  args: string[]
  code: string
  env?: Record<string, string>
  exitCode: number
  says: RegExp
  title: string
}

describe('exit codes', () => {
  const {persistDir} = unpackFixture('chroma-0.6.3')
  const damaged = unpackFixture('chroma-0.6.3').persistDir
  truncateSync(join(damaged, 'chroma.sqlite3'), 5000)

  const cases: Case[] = [
    {
      args: ['db', 'info'],
      code: 'usage',
      env: {CHROMA_PERSIST_DIR: ''},
      exitCode: 2,
      says: /PERSIST_DIR/,
      title: 'a missing argument',
    },
    {
      args: ['db', 'info', persistDir, '--nope'],
      code: 'usage',
      exitCode: 2,
      says: /--nope/,
      title: 'an unknown flag',
    },
    {
      args: ['wal', 'export', persistDir, '--since', '9007199254740993'],
      code: 'usage',
      exitCode: 2,
      says: /--since.*9007199254740993/s,
      title: 'a number that is too large to be read exactly',
    },
    {
      args: ['maintain', persistDir, '--max-time', '40000'],
      code: 'usage',
      exitCode: 2,
      says: /--max-time.*40000/s,
      title: 'a time that is too long for a timer',
    },
    {
      args: ['hnsw', 'info', persistDir],
      code: 'usage',
      exitCode: 2,
      says: /--collection/,
      title: 'no collection off a terminal',
    },
    {
      args: ['db', 'info', damaged],
      code: 'damaged',
      exitCode: 4,
      says: /chroma\.sqlite3/,
      title: 'a damaged database',
    },
    {
      args: ['wal', 'info', '/does/not/exist'],
      code: 'not-found',
      exitCode: 5,
      says: /does not exist/,
      title: 'no such folder',
    },
    {
      args: ['db', 'info', temporaryFolder()],
      code: 'not-found',
      exitCode: 5,
      says: /not a Chroma/,
      title: 'another folder',
    },
    {
      args: ['hnsw', 'info', persistDir, '-c', 'nope'],
      code: 'not-found',
      exitCode: 5,
      says: /no collection "nope".*churned/s,
      title: 'no such collection',
    },
    {
      args: ['db', 'info', persistDir],
      code: 'bug',
      env: preload("fs.readdir = () => { throw new TypeError('a loose screw') }"),
      exitCode: 70,
      says: /bug in chops: a loose screw/,
      title: 'a bug',
    },
    {
      args: ['db', 'info', persistDir],
      code: 'interrupted',
      env: preload(`const stat = fs.stat
        let pressed = false
        fs.stat = async (...args) => {
          if (!pressed) process.kill(process.pid, 'SIGINT')
          pressed = true
          await new Promise((resolve) => setTimeout(resolve, 50))
          return stat(...args)
        }`),
      exitCode: 130,
      says: /Interrupted/,
      title: 'Ctrl-C',
    },
  ]

  for (const {args, code, env, exitCode, says, title} of cases) {
    it(`${exitCode} for ${title}, in text and in JSON`, async () => {
      const options = env ? {env} : {}
      const text = await chops(args, options)
      expect(text.code, text.stderr).to.equal(exitCode)
      expect(text.stderr).to.match(says)
      if (code !== 'bug') expect(text.stderr).not.to.match(/^\s+at /m)
      const {code: jsonExit, json} = await chopsJson<{
        error: {code: string; exitCode: number; message: string}
      }>(args, options)
      expect(jsonExit).to.equal(exitCode)
      expectToMatchSchema('error', json)
      expect(json.error).to.include({code, exitCode})
    })
  }

  const badValues: [args: string[], says: string][] = [
    [
      ['maintain', persistDir, '--fragmentation', 'abc'],
      'Error: --fragmentation is a share from 0 to 1, not "abc".\n',
    ],
    [
      ['wal', 'commit', persistDir, '--num-threads', '0'],
      'Error: --num-threads expects an integer greater than or equal to 1 but received: 0\n' +
        '  Run the command with --help to see what it takes.\n',
    ],
  ]
  for (const [args, says] of badValues) {
    it(`2 and one sentence for a value that ${args.at(-2)} does not take`, async () => {
      const {code, stderr} = await chops(args)
      expect(code).to.equal(2)
      expect(stderr).to.equal(says)
    })
  }

  const writing = [
    ['db', 'backup', persistDir, '-o'],
    ['db', 'report', persistDir, '-y', '-o'],
    ['maintain', persistDir, '--dry-run', '--metrics-file'],
    ['wal', 'export', persistDir, '-y', '-o'],
  ]
  for (const args of writing) {
    it(`2 for a file of ${args.filter((arg) => arg !== persistDir).join(' ')} in a folder that is not there, or none`, async () => {
      const there = temporaryFolder()
      const file = join(there, 'file')
      writeFileSync(file, '')
      for (const [folder, says] of [
        [join(there, 'nowhere'), 'does not exist'],
        [file, 'is a file'],
      ] as const) {
        const {code, stderr} = await chops([...args, join(folder, 'out')])
        expect(code, stderr).to.equal(2)
        expect(stderr).to.include(`The folder ${folder} ${says}.\n  Make it first`)
      }

      expect(readdirSync(there)).to.deep.equal(['file'])
    })
  }

  it('0 for a result', async () => {
    expect((await chops(['db', 'info', persistDir])).code).to.equal(0)
    expect((await chopsJson(['db', 'info', persistDir])).code).to.equal(0)
  })

  it('4 for a JSON document that cannot be written, and 0 where its reader has read enough', function () {
    if (!existsSync('/dev/full')) this.skip()
    const run = (tail: string): {status: null | number; stderr: string} =>
      spawnSync('sh', ['-c', `"$0" "$1" db info "$2" --json ${tail}`, ...RUN_CHOPS, persistDir], {
        encoding: 'utf8',
      })
    const full = run('> /dev/full')
    expect(full.stderr).to.match(/^Error: The output could not be written: ENOSPC.*\n$/)
    expect(full.status).to.equal(4)
    expect(run('| true').stderr).to.equal('')
  })

  it('3 for a database that another process keeps locked', async () => {
    await withDatabase(persistDir, async (db) => {
      await db.exec('BEGIN EXCLUSIVE')
      const {code, stderr} = await chops(['db', 'info', persistDir])
      expect(stderr).to.match(/locked/)
      expect(code).to.equal(3)
      expect((await chopsJson(['wal', 'info', persistDir])).code).to.equal(3)
      await db.exec('ROLLBACK')
    })
  })

  for (const [command, flags] of [
    ['hnsw rebuild', ['-c', 'churned', '-y']],
    ['wal commit', ['-y']],
    ['db backup', ['-o', join(temporaryFolder(), 'backup')]],
  ] as const) {
    it(`4 for a file that becomes larger than a limit allows, in ${command}`, () => {
      const {expected, persistDir} = unpackFixture('chroma-1.5.9')
      const others = expected.collections.map(({name}) => name).filter((name) => name !== 'churned')
      const before = fingerprint(persistDir)
      const line = [...RUN_CHOPS, ...command.split(' '), persistDir, ...flags]
      if (command === 'wal commit') line.push('--skip', others.join(','))
      // A FAT32 disk refuses a file of 4 GiB in the same way as a shell with a limit of 10 KiB.
      const {status, stderr} = spawnSync('bash', ['-c', 'ulimit -f 10; exec "$@"', 'bash', ...line], {
        encoding: 'utf8',
      })
      expect(stderr).to.match(/^Error: \/\S+ cannot be written: it is larger than .* allows \(write\)\.$/m)
      expect(stderr)
        .to.include('ulimit -f')
        .and.not.match(/^\s+at /m)
      expect(status).to.equal(4)
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  }

  it('2 for an unknown command', async () => {
    expect((await chops(['nonsense'])).code).to.equal(2)
  })
})

describe('reading beside a Chroma that has the directory open', () => {
  it('is never stopped', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    await withDatabase(persistDir, async (db) => {
      await db.exec('BEGIN IMMEDIATE')
      expect((await chops(['db', 'info', persistDir])).code).to.equal(0)
      await db.exec('ROLLBACK')
    })
  })
})
