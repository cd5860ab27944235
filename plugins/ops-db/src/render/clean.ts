import {counted, formatSize, type TableData} from '@chops/core/output'

import type {Clean, CleanFolder} from '../services/clean.js'

const KIND: Record<CleanFolder['kind'], string> = {
  backup: 'backup of an index',
  orphan: 'orphan',
  trash: 'left by a killed clean',
}

export function cleanTable({folders}: Clean): TableData {
  return {
    columns: ['Folder', 'Kind', 'Size', 'Action'],
    rows: folders.map(({allocatedBytes, bytes, detail, keepReason, kind, name}) => [
      name,
      KIND[kind],
      formatSize(bytes, allocatedBytes),
      keepReason === null ? 'remove' : `keep: ${detail ?? ''}`,
    ]),
    title: 'Orphanated HNSW segment dirs',
  }
}

export function nothingText({folders}: Clean): string {
  return folders.length === 0 ? 'No orphanated segment dirs found.' : 'There is nothing to remove.'
}

export function totalText(plan: Clean): string {
  return `${folderCount(plan)} to remove: ${formatSize(plan.freedBytes, plan.freedAllocatedBytes)}.`
}

export function doneText(result: Clean): string {
  return `Done: ${folderCount(result)} removed, ${formatSize(result.freedBytes, result.freedAllocatedBytes)} freed.`
}

function folderCount({folders}: Clean): string {
  return counted(folders.filter(({keepReason}) => keepReason === null).length, 'folder')
}
