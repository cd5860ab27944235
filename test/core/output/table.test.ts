import {expect} from 'chai'

import {escapeControls} from '../../../core/src/output/escape.js'
import {formatBytes, formatCount, formatPercent} from '../../../core/src/output/format.js'
import {toJson} from '../../../core/src/output/json.js'
import {renderTables, type TableData} from '../../../core/src/output/table.js'

const TOPICS: TableData = {
  columns: ['Collection', 'Topic', 'Count'],
  rows: [
    ['docs', 'persistent://default/default/52705b73-aceb-4520-b0db-0f75359ff0b6', '21'],
    ['notes', 'persistent://default/default/75103f84-6c22-4618-8285-4b6a11a8e5f7', '4'],
  ],
  title: 'WAL Info',
}

describe('a table', () => {
  it('is plain aligned rows off a terminal, nothing wrapped or cut', async () => {
    const text = await renderTables([TOPICS], {columns: 40, isTTY: false} as NodeJS.WriteStream)
    expect(text.split('\n')).to.deep.equal([
      'WAL Info',
      `│ Collection │ Topic${' '.repeat(60)} │ Count │`,
      `├────────────┼─${'─'.repeat(65)}─┼───────┤`,
      `│ docs       │ ${TOPICS.rows[0]?.[1]} │ 21    │`,
      `│ notes      │ ${TOPICS.rows[1]?.[1]} │ 4     │`,
    ])
  })

  for (const width of [40, 80, 200]) {
    it(`fits a terminal of ${width} columns and loses nothing`, async () => {
      const {columns} = process.stdout
      process.stdout.columns = width
      try {
        const text = await renderTables([TOPICS], {columns: width, isTTY: true} as NodeJS.WriteStream)
        // eslint-disable-next-line no-control-regex -- colours take no room
        const lines = text.replaceAll(/\u001B\[[\d;]*m/g, '').split('\n')
        for (const line of lines) expect(line.length).to.be.at.most(width)
        const joined = lines.join('').replaceAll(/[│\s]/g, '')
        for (const cell of TOPICS.rows.flat().filter((cell) => width > 80 || cell.length < 20))
          expect(joined).to.include(cell)
      } finally {
        process.stdout.columns = columns
      }
    })
  }

  it('shows control characters escaped, whoever wrote them', async () => {
    const hostile = {columns: ['Name'], rows: [['\u001B]0;owned\u0007\nline\u202Etxt']], title: 'x\u001B[2J'}
    const text = await renderTables([hostile], {columns: 80, isTTY: false} as NodeJS.WriteStream)
    expect(text)
      .to.include(String.raw`\x1b]0;owned\x07\x0aline\u202etxt`)
      .and.to.include(String.raw`x\x1b[2J`)
    expect(escapeControls('東京 café 🙂')).to.equal('東京 café 🙂')
  })
})

describe('numbers', () => {
  it('are printed for people', () => {
    expect([0, 1023, 1024, 1_157_627, 2.5e12].map((bytes) => formatBytes(bytes))).to.deep.equal([
      '0.0B',
      '1023.0B',
      '1.0KiB',
      '1.1MiB',
      '2.3TiB',
    ])
    expect([0, 999, 1000, 1_234_567].map((count) => formatCount(count))).to.deep.equal([
      '0',
      '999',
      '1,000',
      '1,234,567',
    ])
    expect(formatPercent(100 / 3)).to.equal('33.33%')
  })

  it('keep all their digits in JSON, also beyond 2^53', () => {
    expect(toJson({big: 1_229_821_589_196_978_484n, text: '12'}).replaceAll(/\s/g, '')).to.equal(
      '{"big":1229821589196978484,"text":"12"}',
    )
  })
})
