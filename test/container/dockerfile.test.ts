import {expect} from 'chai'
import {execFileSync, spawnSync} from 'node:child_process'
import {cpSync, existsSync, mkdirSync, readFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {lendNativeModules} from '../plugins/support/npm.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
const [build = '', final = ''] = dockerfile.split(/^FROM .*$/m).slice(1)

/** What `COPY . .` sees: the files of the repository without those that .dockerignore names. */
function copyContext(into: string): void {
  const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n').filter(Boolean)
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
  })
    .toString('utf8')
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(ROOT, file)))
  for (const file of files) {
    if (
      ignored.some(
        (name) => file === name || file.startsWith(`${name}/`) || file.endsWith(name.replace('**', '')),
      )
    )
      continue
    mkdirSync(dirname(join(into, file)), {recursive: true})
    cpSync(join(ROOT, file), join(into, file))
  }
}

describe('the Dockerfile', () => {
  const folder = temporaryFolder()
  const source = join(folder, 'src')
  const opt = join(folder, 'opt')

  it('builds chops in a clean folder, step by step (all but apt-get)', () => {
    mkdirSync(source)
    copyContext(source)
    expect(existsSync(join(source, 'test'))).to.equal(false)
    const steps = [...build.matchAll(/^RUN (.*)$/gm)]
      .map(([, step = '']) => step)
      .filter((step) => !step.startsWith('apt-get'))
    expect(steps).to.have.length.above(3)
    for (const step of steps) {
      const line = step.replaceAll('/opt/', `${opt}/`).replaceAll('/packages', join(folder, 'packages'))
      const {output, status} = spawnSync('sh', ['-ec', line], {cwd: source, encoding: 'utf8'})
      expect(status, `${line}\n${output.join('\n')}`).to.equal(0)
    }
  })

  it('leaves a chops that works where the last stage puts it', () => {
    // The image has SQLite built in; an older Node here takes the compiled module of this repository.
    lendNativeModules(join(opt, 'chops/node_modules'))
    const {persistDir} = unpackFixture('chroma-1.5.9')
    expect(final).to.include('ln -s /opt/chops/node_modules/.bin/chops')
    const chops = join(opt, 'chops/node_modules/.bin/chops')
    const {status, stderr} = spawnSync(
      process.execPath,
      [chops, 'hnsw', 'rebuild', '-c', 'churned', '--yes'],
      {
        encoding: 'utf8',
        env: {...process.env, CHROMA_PERSIST_DIR: persistDir},
      },
    )
    expect(status, stderr).to.equal(0)
  })

  it('runs as a user of its own, on the volume that chops takes for the directory', () => {
    expect(final).to.match(/^USER node$/m)
    expect(final).to.match(/^VOLUME \/chroma-data$/m)
    expect(final).to.match(/^ENV CHROMA_PERSIST_DIR=\/chroma-data$/m)
  })
})
