import {expect} from 'chai'
import fc from 'fast-check'

import {parseExactJson} from '../../../core/src/records/exact-json.js'

describe('exact JSON', () => {
  it('tells integers from floats and keeps every digit', () => {
    const text = '{"a":[1,-0.5,2.0,1e3],"b":18446744073709551615,"c":-9007199254740993}'
    expect(parseExactJson(text)).to.deep.equal({
      a: [1n, -0.5, 2, 1000],
      b: 18_446_744_073_709_551_615n,
      c: -9_007_199_254_740_993n,
    })
  })

  it('leaves what stands in strings alone', () => {
    const value = {'1': '2', 'a "3" b': String.raw`\"4\\`, '[5,': ',6]'}
    expect(parseExactJson(JSON.stringify(value))).to.deep.equal(value)
  })

  it('is JSON.parse for everything that has no integer', () => {
    const json = fc.jsonValue({maxDepth: 4}).filter((value) => !/\d/.test(JSON.stringify(value)))
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.stringify(parseExactJson(JSON.stringify(value)))).to.equal(JSON.stringify(value))
      }),
    )
  })

  it('refuses what is no JSON', () => {
    expect(() => parseExactJson('{"a": 1')).to.throw(SyntaxError)
  })
})
