import {openPersistDir} from '@chops/core/persist-dir'
import {findCollection} from '@chops/core/catalog'
import {estimateMemory} from '@chops/core/reindex'
import {expect} from 'chai'

import {parseBytes} from '../../core/src/output/format.js'
import {chops, chopsJson} from '../support/cli.js'
import {unpackFixture} from '../support/fixtures.js'
import {appendManyAdds, locate} from '../support/segments.js'
import {fingerprint} from '../support/untouched.js'

/** Less than Node itself takes. */
const TOO_LITTLE = '20MB'

describe('a limit on memory', () => {
  it('below what a rebuild takes ends it before it begins, and says how much that is', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const {code, stderr} = await chops([
      'hnsw',
      'rebuild',
      persistDir,
      '-c',
      'churned',
      '--yes',
      '--max-memory',
      TOO_LITTLE,
    ])
    expect(code).to.equal(4)
    expect(stderr).to.match(/needs up to 9\d\.\dMiB of memory, and --max-memory leaves 0\.0B/)
    expect(stderr).to.contain('nothing was changed')
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('below what a commit takes leaves its collection as it is', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const before = fingerprint(persistDir)
    const {code, json} = await chopsJson<{failed: {message: string}[]}>([
      'wal',
      'commit',
      persistDir,
      '--yes',
      '--max-memory',
      TOO_LITTLE,
    ])
    expect(code).to.equal(4)
    expect(json.failed.map(({message}) => message)).to.satisfy((messages: string[]) =>
      messages.every((message) => message.includes('of memory')),
    )
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('that is enough changes nothing; the plan says what is needed', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {code, stdout} = await chops([
      'hnsw',
      'rebuild',
      persistDir,
      '-c',
      'churned',
      '--yes',
      '--max-memory',
      '2GB',
    ])
    expect(code).to.equal(0)
    expect(stdout).to.match(/It takes up to 9\d\.\dMiB of memory\./)
  })

  it('is a size with a unit', async () => {
    expect(['512', '800MB', '4g', '1.5 GiB', '2T'].map(parseBytes)).to.deep.equal([
      512,
      800 * 2 ** 20,
      4 * 2 ** 30,
      1.5 * 2 ** 30,
      2 * 2 ** 40,
    ])
    const {code, stderr} = await chops(['wal', 'commit', '.', '--max-memory', 'much'])
    expect(code).to.equal(2)
    expect(stderr).to.contain('--max-memory takes a size such as 800MB or 4GB, not "much".')
  })

  it('is held against an estimate that grows with the vectors in the index and those in the log', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'odd-name_1')
    const needs = async () => {
      const dir = await openPersistDir(persistDir)
      try {
        return await estimateMemory(dir, await findCollection(dir, located))
      } finally {
        await dir.db.close()
      }
    }

    const before = await needs()
    await appendManyAdds(persistDir, located.topic, 3000, 8)
    const after = await needs()
    const vectors = 3000 * 8 * 4
    expect(after.extend - before.extend).to.be.above(6 * vectors)
    expect(after.full - after.extend - (before.full - before.extend)).to.equal(vectors)
  })
})
