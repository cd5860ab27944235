import type {Row, Spread} from './results.js'

const HEAD = [
  'command',
  'beside',
  'ratio',
  'goal',
  'time',
  'time beside',
  'peak memory',
  'bytes read',
  'runs',
]

/** The rows as a table that is readable as text and as Markdown, and a line for each that was skipped. */
export function tableOf(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.flatMap((row) => ('skipped' in row ? [] : [cellsOf(row)]))]
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const [head = '', ...body] = lines.map(
    (line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`,
  )
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  const skipped = rows.flatMap((row) => ('skipped' in row ? [`Skipped: ${row.name}: ${row.skipped}.`] : []))
  return [head, rule, ...body, ...(skipped.length > 0 ? ['', ...skipped] : [])].join('\n')
}

function cellsOf(row: Exclude<Row, {skipped: string}>): string[] {
  const {base, goal, memory, name, ratio, read, rounds, seconds} = row
  const memoryGoal =
    memory?.goal === undefined ? '' : `, ${verdict(memory.peak, memory.goal, `<= ${megabytes(memory.goal)}`)}`
  return [
    name,
    base.name,
    `${spread(ratio)}x`,
    goal === undefined ? '' : verdict(ratio.median, goal, `<= ${goal}x`),
    `${spread(seconds)} s`,
    `${spread(base.seconds)} s`,
    memory ? `${megabytes(memory.peak)}${memoryGoal}` : '',
    read ? `${read.ratio.toFixed(2)}x, ${verdict(read.ratio, read.goal, `<= ${read.goal}x`)}` : '',
    String(rounds),
  ]
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}

function verdict(value: number, goal: number, text: string): string {
  return `${text}: ${value <= goal ? 'met' : 'missed'}`
}

function spread({max, median, min}: Spread): string {
  return `${median.toFixed(2)} (${min.toFixed(2)}..${max.toFixed(2)})`
}
