import {expect} from 'chai'

import {loadTarget, readCorpus, TARGET_NAMES} from './targets.js'

/** What the fuzzer began with and what it found, without the fuzzer. */
describe('the parsers on the corpus of the fuzzer', () => {
  for (const name of TARGET_NAMES) {
    it(`refuse as damaged or read rightly: ${name}`, async () => {
      const {fuzz} = await loadTarget(name)
      const corpus = readCorpus(name)
      expect(corpus).to.have.length.greaterThan(0)
      for (const [file, bytes] of corpus) {
        await fuzz(bytes).catch((error: unknown) => {
          throw new Error(`${name}/${file}`, {cause: error})
        })
      }
    })
  }
})
