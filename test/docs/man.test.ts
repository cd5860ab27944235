import {expect} from 'chai'
import {spawnSync} from 'node:child_process'
import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PAGE = join(ROOT, 'docs/chops.1')

/** The page as a terminal shows it, by whichever program there is. */
function shown(): string | undefined {
  for (const [program, ...args] of [
    ['mandoc', '-T', 'utf8', '-O', 'width=120', PAGE],
    ['man', '-l', PAGE],
  ] as const) {
    const {status, stdout} = spawnSync(program, args, {
      encoding: 'utf8',
      env: {...process.env, MANWIDTH: '120'},
    })
    // eslint-disable-next-line no-control-regex -- bold is a letter, a backspace and the letter again
    if (status === 0) return stdout.replaceAll(/.\u0008/g, '')
  }

  return undefined
}

describe('the manual page', () => {
  it('is what scripts/man.js writes from the manifests (npm run readme writes it)', () => {
    const {status, stdout} = spawnSync(process.execPath, [join(ROOT, 'scripts/man.js'), '-'], {
      encoding: 'utf8',
    })
    expect(status).to.equal(0)
    expect(readFileSync(PAGE, 'utf8')).to.equal(stdout)
  })

  it('shows every command and flag', function () {
    const page = shown()
    if (page === undefined) {
      console.log('      left out: neither mandoc nor man is installed')
      this.skip()
    }

    for (const folder of ['.', ...readdirSync(join(ROOT, 'plugins')).map((name) => `plugins/${name}`)]) {
      const {commands} = JSON.parse(readFileSync(join(ROOT, folder, 'oclif.manifest.json'), 'utf8')) as {
        commands: Record<string, {flags: Record<string, {hidden?: boolean}>; hidden?: boolean}>
      }
      for (const [id, {flags, hidden}] of Object.entries(commands)) {
        if (hidden) continue
        expect(page).to.include(`chops ${id.replaceAll(':', ' ')}`)
        for (const flag of Object.keys(flags))
          expect(page, id).to.match(new RegExp(`--(\\[no-\\])?${flag}\\b`))
      }
    }
  })

  it('has no mistake of markup', function () {
    const {error, stderr, stdout} = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', PAGE], {
      encoding: 'utf8',
    })
    if (error) {
      console.log('      left out: mandoc is not installed')
      this.skip()
    }

    // A generated page must not change from day to day.
    const mistakes = `${stdout}${stderr}`.split('\n').filter((line) => line && !line.includes('missing date'))
    expect(mistakes).to.deep.equal([])
  })
})
