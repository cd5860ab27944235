import {expect} from 'chai'

import {Pace} from '../../../core/src/command/pace.js'

describe('the pace of long work', () => {
  /** What is said after each report, of `[seconds, done]`, of 1000. */
  function said(reports: [number, number][], unit?: string): string[] {
    let now = 0
    const pace = new Pace(unit, () => now)
    return reports.map(([seconds, done]) => {
      now = 1000 * seconds
      return pace.text(done, 1000)
    })
  }

  it('is the share, and once it has settled the rate and the time left', () => {
    const reports: [number, number][] = [
      [0, 0],
      [1, 100],
      [4, 400],
    ]
    expect(said(reports, 'records')).to.deep.equal(['0 %', '10 %', '40 %, 100 records/s, 6 s left'])
    expect(said(reports)).to.deep.equal(['0 %', '10 %', '40 %, 6 s left'])
  })

  it('says bytes as a size', () => {
    const reports: [number, number][] = [
      [0, 0],
      [0.01, 500],
      [4, 600],
    ]
    expect(said(reports, 'bytes').at(-1)).to.equal('60 %, 150.0B/s, 3 s left')
  })

  it('does not count what was done before', () => {
    const reports: [number, number][] = [
      [0, 900],
      [10, 910],
    ]
    expect(said(reports, 'records').at(-1)).to.equal('91 %, 1 records/s, 90 s left')
  })

  it('says minutes and hours where seconds would be many, and nothing while nothing moves', () => {
    const reports: [number, number][] = [
      [0, 0],
      [10, 0],
      [100, 100],
      [3600, 200],
    ]
    expect(said(reports).slice(1)).to.deep.equal(['0 %', '10 %, 15 min left', '20 %, 4 h left'])
  })
})
