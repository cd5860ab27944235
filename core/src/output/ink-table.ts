import {makeTable} from '@oclif/table'

import type {TableData} from './table.js'

/** Narrower than this share of what a table wants, its columns would be slivers. */
const NARROWEST = 0.75

/** The least a cell takes besides its text: padding and a border. */
const CELL_FRAME = 3

/**
 * Renders one table with `@oclif/table`, the kept-up successor of ink-table, for a terminal of so many columns. Where a
 * table of several columns would not be readable, each row becomes a block of its own.
 */
export function renderInkTable(table: TableData, width: number): string {
  const {columns, rows, title} = isTooNarrow(table, width) ? upright(table) : table
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

function isTooNarrow({columns, rows}: TableData, width: number): boolean {
  if (columns.length <= 2) return false
  const wanted = columns.map(
    (column, index) => CELL_FRAME + Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)),
  )
  return width < NARROWEST * wanted.reduce((sum, cell) => sum + cell, 0)
}

function upright({columns, rows, title}: TableData): TableData {
  const blocks = rows.map((row) => columns.map((column, index) => [column, row[index] ?? '']))
  return {
    columns: ['Property', 'Value'],
    rows: blocks.flatMap((block, index) => (index === 0 ? block : [['', ''], ...block])),
    title,
  }
}
