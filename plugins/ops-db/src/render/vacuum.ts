import {formatBytes, formatCount, type TableData} from '@chops/core/output'

import type {Vacuum} from '../services/vacuum.js'

export function vacuumTable({freeBytes, freePages, pages, pageSize, sizeBefore}: Vacuum): TableData {
  return {
    columns: ['Property', 'Value'],
    rows: [
      ['Size of chroma.sqlite3', `${sizeBefore} (${formatBytes(sizeBefore)})`],
      ['Pages', `${formatCount(pages)} of ${formatBytes(pageSize)}`],
      ['Free pages', formatCount(freePages)],
      ['Given back', `at least ${formatBytes(freeBytes)}`],
    ],
    title: 'Vacuum',
  }
}

export function questionText({persistDirectory}: Vacuum): string {
  return `Are you sure you want to VACUUM chroma.sqlite3 in ${persistDirectory}?`
}

export function doneLines({sizeAfter, sizeBefore}: Vacuum): string[] {
  const freed = sizeBefore - sizeAfter
  const percent = sizeBefore === 0 ? 0 : (100 * freed) / sizeBefore
  return [
    `Size before: ${sizeBefore} (${formatBytes(sizeBefore)}), after: ${sizeAfter} (${formatBytes(sizeAfter)}).`,
    freed > 0
      ? `VACUUM completed: ${formatBytes(freed)} given back (${percent.toFixed(1)}%).`
      : 'VACUUM completed: there was nothing to give back.',
  ]
}
