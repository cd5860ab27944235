import {formatCount} from '@chops/core/output'

import {html, type Markup} from './html.js'
import {table} from './tables.js'

/** One part of a bar; `kind` is its colour, 1 to 7, as the style sheet names them. */
export interface Share {
  kind: number
  label: string
  /** How the value is written. */
  text: string
  value: number
}

const WIDTH = 640
const BAR = 28
const CHART = 140

/** One horizontal bar of several shares, with a legend that says the same in words. */
export function stackedBar(title: string, shares: Share[]): Markup {
  const shown = shares.filter(({value}) => value > 0)
  const total = shown.reduce((sum, {value}) => sum + value, 0)
  if (total === 0) return html`<p>${title}: nothing.</p>`
  let x = 0
  const parts = shown.map(({kind, label, text, value}) => {
    const width = (WIDTH * value) / total
    const part = html`<rect class="kind${kind}" x="${fixed(x)}" y="0" width="${fixed(width)}" height="${BAR}">
      <title>${label}: ${text}</title>
    </rect>`
    x += width
    return part
  })
  const legend = shown.map(
    ({kind, label, text, value}) =>
      html`<li>
        <span class="dot kind${kind}"></span>${label}: ${text} (${((100 * value) / total).toFixed(1)} %)
      </li>`,
  )
  return html`<figure>
    <figcaption>${title}</figcaption>
    <svg role="img" aria-label="${title}" viewBox="0 0 ${WIDTH} ${BAR}" preserveAspectRatio="none">
      ${parts}
    </svg>
    <ul class="legend">
      ${legend}
    </ul>
  </figure>`
}

/** A histogram: how many elements each value of the axis has. The same figures follow as a table for who cannot see it. */
export function histogram(title: string, axis: string, counts: readonly number[]): Markup {
  const first = Math.max(
    0,
    counts.findIndex((count) => count > 0),
  )
  const shown = counts.slice(first)
  const most = Math.max(1, ...shown)
  const width = WIDTH / Math.max(shown.length, 1)
  const bars = shown.map((count, index) => {
    const height = (CHART * count) / most
    return html`<rect
      class="kind1"
      x="${fixed(index * width)}"
      y="${fixed(CHART - height)}"
      width="${fixed(Math.max(width - 1, 0.5))}"
      height="${fixed(height)}"
    >
      <title>${axis} ${first + index}: ${formatCount(count)} elements</title>
    </rect>`
  })
  const peak = shown.indexOf(most)
  const summary = `${axis} ${first} to ${counts.length - 1}, most often ${first + peak}: ${formatCount(most)} elements`
  const rows = shown.map(
    (count, index) =>
      html`<tr>
        <th scope="row">${first + index}</th>
        <td>${formatCount(count)}</td>
      </tr>`,
  )
  return html`<figure>
    <figcaption>${title}</figcaption>
    <svg role="img" aria-label="${title}" viewBox="0 0 ${WIDTH} ${CHART}" preserveAspectRatio="none">
      ${bars}
    </svg>
    <p class="soft">${summary}</p>
    <details>
      <summary>${title} as a table</summary>
      ${table([axis, 'Elements'], rows)}
    </details>
  </figure>`
}

function fixed(value: number): string {
  return value.toFixed(2)
}
