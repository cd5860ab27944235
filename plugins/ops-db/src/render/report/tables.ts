import {html, type Markup} from './html.js'

/** A table with a heading over each column. */
export function table(columns: readonly string[], rows: readonly Markup[]): Markup {
  const headings = columns.map((column) => html`<th scope="col">${column}</th>`)
  return html`<table>
    <thead>
      <tr>
        ${headings}
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`
}

/** A table that is scrolled sideways by itself where the page is too narrow for it, with the keyboard too. */
export function scrollingTable(label: string, columns: readonly string[], rows: readonly Markup[]): Markup {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}">
    ${table(columns, rows)}
  </div>`
}
