import {formatBytes, formatCount, type TableData} from '@chops/core/output'

import type {FtsRebuildResult} from '../services/rebuild.js'

export function planTable(plan: FtsRebuildResult): TableData {
  const {documentBytes, documents, tokenizer, tokenizerBefore} = plan
  return {
    columns: ['Property', 'Value'],
    rows: [
      ['Index', stateOf(plan)],
      [
        'Tokenizer',
        tokenizerBefore === null || tokenizerBefore === tokenizer
          ? tokenizer
          : `${tokenizerBefore} (old) -> ${tokenizer} (new)`,
      ],
      ['Documents', `${formatCount(documents)} (${formatBytes(documentBytes)})`],
    ],
    title: 'Full-Text Index',
  }
}

export function questionText({persistDirectory}: FtsRebuildResult): string {
  return (
    `Are you sure you want to rebuild the FTS index in ${persistDirectory}? ` +
    'This drops the existing index and creates a new one.'
  )
}

export function doneText({documents}: FtsRebuildResult): string {
  return `FTS rebuilt: ${formatCount(documents)} ${documents === 1 ? 'document' : 'documents'} indexed, integrity checked.`
}

function stateOf({missingTables, tokenizerBefore}: FtsRebuildResult): string {
  if (tokenizerBefore === null) return 'there is none'
  return missingTables.length === 0 ? 'there is one' : `damaged: ${missingTables.join(', ')} missing`
}
