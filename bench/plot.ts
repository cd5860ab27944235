import type {Comparison, Row} from './results.js'

const WIDTH = 900
const ROW = 26
const LEFT = 380
const RIGHT = 90
const TOP = 46

/** Ticks of the logarithmic axis. */
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]

/**
 * A picture of the ratios on a logarithmic axis: a dot for the median, a line from the least to the most, and a mark for
 * the goal. An SVG that needs nothing else and is readable on light and dark ground.
 */
export function plotOf(rows: readonly Row[]): string {
  const shown = rows.filter((row): row is Comparison => !('skipped' in row))
  const most = Math.max(1, ...shown.map(({ratio}) => ratio.max))
  const least = Math.min(0.1, ...shown.map(({ratio}) => ratio.min))
  const x = (ratio: number): number =>
    LEFT + ((WIDTH - LEFT - RIGHT) * Math.log(ratio / least)) / Math.log(most / least)
  const height = TOP + ROW * shown.length + 10
  const ticks = TICKS.filter((tick) => tick >= least && tick <= most)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Times of chops as a share of the times of its peers" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="${LEFT}" y="16" fill="#333">time as a share of that of the other command (logarithmic); line: least to most; mark: goal</text>`,
    ...ticks.map(
      (tick) =>
        `<path d="M${at(x(tick))} ${TOP - 10}V${height - 8}" stroke="${tick === 1 ? '#888' : '#ddd'}"/><text x="${at(x(tick))}" y="${TOP - 14}" text-anchor="middle" fill="#555">${tick}</text>`,
    ),
    ...shown.map((row, i) => rowOf(row, TOP + ROW * i + ROW / 2, x)),
    '</svg>',
    '',
  ].join('\n')
}

function rowOf({base, goal, name, ratio}: Comparison, y: number, x: (ratio: number) => number): string {
  const isMissed = goal !== undefined && ratio.median > goal
  const colour = isMissed ? '#b3261e' : '#1a6b3c'
  const goalMark =
    goal === undefined ? '' : `<path d="M${at(x(goal))} ${y - 9}v18" stroke="#333" stroke-width="2"/>`
  return [
    `<text x="${LEFT - 12}" y="${y - 1}" text-anchor="end" fill="#111">${escapeXml(name)}</text>`,
    `<text x="${LEFT - 12}" y="${y + 10}" text-anchor="end" fill="#666" font-size="10">beside ${escapeXml(base.name)}</text>`,
    `<path d="M${at(x(ratio.min))} ${y}H${at(x(ratio.max))}" stroke="${colour}" stroke-width="2"/>`,
    `<circle cx="${at(x(ratio.median))}" cy="${y}" r="4" fill="${colour}"/>`,
    goalMark,
    `<text x="${WIDTH - RIGHT + 14}" y="${y + 4}" fill="#111">${ratio.median.toFixed(2)}${isMissed ? ' missed' : ''}</text>`,
  ].join('')
}

function at(position: number): string {
  return position.toFixed(1)
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
