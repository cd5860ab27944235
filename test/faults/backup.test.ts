import {expect} from 'chai'
import {existsSync, readdirSync} from 'node:fs'
import {dirname, join} from 'node:path'

import {chops} from '../support/cli.js'
import {explorePoints} from '../support/faults/explore.js'
import {FAULT_KINDS} from '../support/faults/faulted-run.js'
import {brokenInvariants} from '../support/faults/invariants.js'
import {readPersistState} from '../support/faults/persist-state.js'
import {unpackFixture} from '../support/fixtures.js'

const full = process.env.CHOPS_FAULTS === 'full'
/** Runs for each form in the short sample. */
const SAMPLE = 4

describe('a backup that is killed or meets a fault', function () {
  this.timeout(full ? 3_600_000 : 120_000)

  for (const name of ['backup', 'backup.tar.gz', 'backup.tar.zst']) {
    it(`is complete or not there, and the directory is as it was: ${name}`, async () => {
      const {expected, persistDir} = unpackFixture('chroma-1.5.9')
      const before = await readPersistState(persistDir)
      const outputOf = (dir: string): string => join(dirname(dir), name)
      const {runs} = await explorePoints({
        args: (dir) => ['db', 'backup', dir, '--output', outputOf(dir), '--yes', '--verify'],
        async check(dir, visit) {
          const problems = await brokenInvariants(dir, visit, {before, expected})
          const output = outputOf(dir)
          const isThere = existsSync(output)
          if (visit.ending === 'done' && !isThere) problems.push('there is no backup')
          if (isThere) {
            const {code, stderr} = await chops(['db', 'backup', output, '--verify'])
            if (code !== 0) problems.push(`the backup is not complete: ${stderr.trim()}`)
          }

          const left = readdirSync(dirname(dir)).filter((entry) => entry.endsWith('.tmp'))
          if (visit.ending !== 'killed' && left.length > 0) problems.push(`${left.join(', ')} is left`)
          return problems
        },
        kinds: FAULT_KINDS,
        prepare: () => persistDir,
        ...(!full && {atMost: SAMPLE, only: ({changes, detail}) => changes && detail.includes('backup')}),
      })
      expect(runs).to.be.greaterThan(1)
    })
  }
})
