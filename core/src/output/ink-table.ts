import {makeTable} from '@oclif/table'

import type {TableData} from './table.js'

/** Renders one table with `@oclif/table`, the kept-up successor of ink-table, at the terminal's width. */
export function renderInkTable({columns, rows, title}: TableData): string {
  const keys = columns.map((_, index) => `column${index}`)
  return makeTable({
    borderStyle: 'headers-only-with-outline',
    columns: columns.map((name, index) => ({key: keys[index] ?? '', name})),
    data: rows.map((row) => Object.fromEntries(row.map((cell, index) => [keys[index] ?? '', cell]))),
    headerOptions: {formatter: (header) => header},
    noStyle: Boolean(process.env.NO_COLOR),
    overflow: 'wrap',
    title,
  })
}
