import {expect} from 'chai'
import {execFile} from 'node:child_process'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'

import {readHeader} from '../../core/src/hnsw/header.js'
import {readNorms} from '../../core/src/hnsw/length.js'
import {chops} from '../support/cli.js'
import {overwrite} from '../support/damage.js'
import {temporaryFolder} from '../support/fixtures.js'
import {locate} from '../support/segments.js'
import {ENGINE_VERSIONS, engineOrSkip} from './support/engines.js'
import {copyOf} from './support/judge.js'

const SCRIPT = fileURLToPath(new URL('short_vectors.py', import.meta.url))

for (const version of ENGINE_VERSIONS) {
  describe(`cosine vectors of Chroma ${version} that are too short for a norm`, () => {
    let written: string

    before(async function () {
      const engine = await engineOrSkip(this, version)
      written = join(temporaryFolder(), 'persist')
      await promisify(execFile)(engine.python, [SCRIPT, written])
      const {folder} = await locate(written, 'short')
      const norms = await readNorms(folder, await readHeader(folder))
      expect(norms.length).to.be.at.least(50)
      expect(norms.filter((norm) => norm === 0).length).to.be.greaterThan(10)
    })

    it('are sound, and rebuilt', async () => {
      const dir = copyOf(written)
      const commands = [
        ['db', 'check', dir],
        ['hnsw', 'rebuild', dir, '-c', 'short', '--fragmentation', '0', '-y'],
        ['db', 'check', dir],
      ]
      for (const command of commands) {
        const {code, stderr, stdout} = await chops(command)
        expect(code, `${stdout}\n${stderr}`).to.equal(0)
      }
    })

    it('do not hide norms that were overwritten with zeros', async () => {
      const dir = copyOf(written)
      const {folder} = await locate(dir, 'short')
      overwrite(join(folder, 'length.bin'), 0, Buffer.alloc(240))
      const {stdout} = await chops(['db', 'check', dir])
      expect(stdout).to.match(/H16.*norms of 0 for vectors that are not zero/)
    })
  })
}
