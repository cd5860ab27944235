import {expect} from 'chai'

import {installedEngines} from '../soak/engines.js'
import {randomRounds} from '../soak/rounds.js'
import {type Engines, runRounds} from '../soak/run-rounds.js'

const ROUNDS = 24

/** A few of the rounds that `npm run test:soak` has by the hour. */
describe('an engine and chops in turns on one directory', function () {
  this.timeout(600_000)
  let engines: Engines

  before(async function () {
    engines = await installedEngines()

    if (engines.size === 0) this.skip()
  })

  for (const seed of [11, 12]) {
    it(`leave every record findable, whatever chops does and wherever it is killed (seed ${seed})`, async () => {
      const failure = await runRounds(randomRounds(seed, ROUNDS, [...engines.keys()]), engines)
      expect(failure).to.equal(undefined)
    })
  }
})
