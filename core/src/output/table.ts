import {escapeControls} from './escape.js'

/** A table as a renderer hands it over: plain text in every cell. */
export interface TableData {
  columns: string[]
  rows: string[][]
  title: string
}

/**
 * Renders tables for a stream: `@oclif/table` (Ink) in a terminal, fitted to its width; elsewhere plain aligned rows with
 * nothing wrapped or cut, which scripts can search. Ink costs a quarter of a second to load and some 25 ms a table, which
 * a cron job or a pipe should not pay.
 */
export async function renderTables(
  tables: TableData[],
  stream: Pick<NodeJS.WriteStream, 'columns' | 'isTTY'>,
): Promise<string> {
  const safe = tables.map((table) => ({
    columns: table.columns,
    rows: table.rows.map((row) => row.map((cell) => escapeControls(cell))),
    title: escapeControls(table.title),
  }))
  if (!stream.isTTY) return safe.map((table) => plainTable(table)).join('\n\n')
  const {renderInkTable} = await import('./ink-table.js')
  return safe.map((table) => renderInkTable(table, stream.columns)).join('\n\n')
}

function plainTable({columns, rows, title}: TableData): string {
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => (row[index] ?? '').length)),
  )
  const line = (cells: string[]): string =>
    `│ ${widths.map((width, index) => (cells[index] ?? '').padEnd(width)).join(' │ ')} │`
  const rule = `├─${widths.map((width) => '─'.repeat(width)).join('─┼─')}─┤`
  return [title, line(columns), rule, ...rows.map((row) => line(row))].join('\n')
}
