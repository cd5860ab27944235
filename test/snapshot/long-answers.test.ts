import {expect} from 'chai'

import {exactFetch} from '../../plugins/ops-snapshot/src/services/transfer/exact-fetch.js'
import {explain, ServerError} from '../../plugins/ops-snapshot/src/services/transfer/server-error.js'

describe('an answer that is too long for one text', () => {
  const {fetch} = globalThis

  // Real ones begin at 512 MB.
  before(() => {
    const tooLong = Object.assign(new Error('Cannot create a string'), {code: 'ERR_STRING_TOO_LONG'})
    const text = async (): Promise<never> => {
      throw tooLong
    }

    globalThis.fetch = async () => Object.defineProperty(new Response('x'), 'text', {value: text})
  })

  after(() => {
    globalThis.fetch = fetch
  })

  it('is not asked for again, and smaller requests are the advice', async () => {
    const error = await exactFetch('http://h/').catch((error_: unknown) => error_)
    expect(error).to.be.instanceOf(ServerError).and.include({isPassing: false})
    const told = explain(error, 'http://h', 'reading records') as {
      kind?: string
      message: string
      next: string
    }
    expect(told.message).to.contain('answers with more than chops can take at once')
    expect(told.next).to.contain('--batch-size')
  })
})
