import {fullName} from '@chops/core/catalog'
import {fragmentationOf} from '@chops/core/hnsw'
import {formatBytes, formatCount, formatPercent} from '@chops/core/output'

import type {Finding} from '../../services/check/finding.js'
import type {CollectionReport, DirectoryReport} from '../../services/report.js'

import {SEVERITY} from '../database-check.js'
import {histogram, type Share, stackedBar} from './charts.js'
import {html, Markup} from './html.js'
import {CONTENT_SECURITY_POLICY, STYLE} from './style.js'
import {scrollingTable} from './tables.js'

/** To the byte what the policy has the hash of. */
const STYLE_ELEMENT = new Markup(`<style>${STYLE}</style>`)

/** The whole report as one page without scripts that loads nothing. */
export function reportPage(report: DirectoryReport, found: readonly Finding[], date: Date): string {
  const title = 'Chroma persist directory'
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${CONTENT_SECURITY_POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <header>
          <h1>${title}</h1>
          <p>${report.persistDirectory}</p>
          <p class="soft">
            Chroma ${report.chromaVersion}, measured ${date.toISOString().slice(0, 16).replace('T', ' ')} UTC
          </p>
        </header>
        <main>
          <h2>What fills the directory</h2>
          ${stackedBar('Bytes on disk', spaceShares(report))}
          <h2>Findings</h2>
          ${findingsTable(found)}
          <h2>Collections</h2>
          ${overview(report.collections)}
          ${report.collections.map((collection) => collectionCard(collection))}
        </main>
      </body>
    </html>`
  return `${page.text}\n`
}

function spaceShares({collections, database, orphans}: DirectoryReport): Share[] {
  const indexes = collections.reduce((sum, {indexBytes}) => sum + indexBytes, 0)
  const bytes = (kind: number, label: string, value: number): Share => ({
    kind,
    label,
    text: formatBytes(value),
    value,
  })
  return [
    bytes(1, 'Vector indexes', indexes),
    bytes(2, 'Records, metadata and documents', database.metadata),
    bytes(3, 'Full-text index', database.fullText),
    bytes(4, 'Log', database.log),
    bytes(5, 'Free pages', database.free),
    bytes(7, 'Folders of deleted collections', orphans.bytes),
    bytes(6, 'Catalog', database.other),
  ]
}

function overview(collections: CollectionReport[]): Markup {
  if (collections.length === 0) return html`<p>There are no collections.</p>`
  const rows = collections.map(
    (collection) =>
      html`<tr>
        <th scope="row">${fullName(collection)}</th>
        <td class="number">${formatCount(collection.records)}</td>
        <td class="number">${collection.dimension ?? 'none yet'}</td>
        <td>${collection.space}</td>
        <td class="number">${formatBytes(collection.indexBytes)}</td>
        <td class="number">${formatPercent(fragmentationOf(collection))}</td>
        <td class="number">${formatCount(collection.pending)}</td>
      </tr>`,
  )
  const columns = ['Collection', 'Records', 'Dimension', 'Space', 'Index', 'Fragmentation', 'Only in the log']
  return scrollingTable('All collections', columns, rows)
}

function collectionCard(collection: CollectionReport): Markup {
  const {committed, deleted, graph, live, pending, problem} = collection
  const count = (kind: number, label: string, value: number): Share => ({
    kind,
    label,
    text: formatCount(value),
    value,
  })
  return html`<section class="card">
    <h3>${fullName(collection)}</h3>
    <p class="soft">${collection.id}</p>
    ${problem === null ? [] : html`<p class="bad">${problem}</p>`}
    ${stackedBar('Elements of the index', [count(5, 'live', live), count(4, 'deleted', deleted)])}
    ${stackedBar('Log rows', [count(1, 'only in the log', pending), count(6, 'applied', committed)])}
    ${
      graph === null
        ? []
        : [
            html`<p>
              ${formatCount(graph.reachable)} of ${formatCount(graph.live)} live elements can be reached from
              the entry point.
            </p>`,
            histogram('Links per element on level 0', 'Links', graph.degree.histogram),
            histogram('Highest level of the elements', 'Level', graph.levels),
          ]
    }
  </section>`
}

function findingsTable(found: readonly Finding[]): Markup {
  if (found.length === 0) return html`<p>chops db check found nothing to report.</p>`
  const rows = found.map(
    ({collection, id, message, severity}) =>
      html`<tr>
        <th scope="row">${id}</th>
        <td>${SEVERITY[severity]}</td>
        <td>${collection ? fullName(collection) : ''}</td>
        <td>${message}</td>
      </tr>`,
  )
  return scrollingTable('Findings of db check', ['Id', 'Severity', 'Collection', 'Finding'], rows)
}
