import {counted, formatBytes, formatCount} from '@chops/core/output'

import type {ChangingStep} from './steps.js'

/** What a step's command reported, in one line, and whether it changed (or would change) anything. */
export interface StepOutcome {
  changed: boolean
  detail: string
}

type Document = Record<string, unknown>

/**
 * Reads what a command answered with `--json`. Each document has a schema in schemas/; what is not there counts as nothing,
 * so that a newer plugin with more to say is no obstacle.
 */
export function outcomeOf(step: ChangingStep, documents: readonly Document[], dryRun: boolean): StepOutcome {
  return OUTCOMES[step](documents, dryRun)
}

/** Ids of the collections whose pending log was written into the index. */
export function committedIn(documents: readonly Document[]): string[] {
  return documents.flatMap((document) => objectsOf(document.committed)).map(idOf)
}

/** Ids of the collections whose index was built anew from all their elements, by a rebuild or by a commit. */
export function rebuiltIn(documents: readonly Document[]): string[] {
  return documents
    .flatMap(({committed, rebuilt}) => [
      ...objectsOf(committed).filter(({method}) => method === 'full'),
      ...objectsOf(rebuilt).filter(({status}) => status === 'rebuilt'),
    ])
    .map(idOf)
}

const OUTCOMES: Record<ChangingStep, (documents: readonly Document[], dryRun: boolean) => StepOutcome> = {
  clean(documents, dryRun) {
    const [document = {}] = documents
    const folders = objectsOf(document.folders).filter(({keepReason, removed}) =>
      dryRun ? keepReason === null : removed === true,
    )
    if (folders.length === 0) return nothing('there are none')
    const bytes = folders.reduce((total, {allocatedBytes}) => total + numberOf(allocatedBytes), 0)
    return something(`${counted(folders.length, 'folder', formatCount)}, ${formatBytes(bytes)}`)
  },
  commit(documents, dryRun) {
    const done = documents.flatMap((document) =>
      objectsOf(dryRun ? document.planned : document.committed).filter(({skipped}) => skipped !== true),
    )
    const rows = done.reduce((total, one) => total + numberOf(dryRun ? one.pending : one.appliedRows), 0)
    return rows === 0 ? nothing('nothing is pending') : something(counted(rows, 'row', formatCount))
  },
  log(documents, dryRun) {
    const rows = sum(documents, dryRun ? 'deletable' : 'deleted')
    return rows === 0 ? nothing('every row is still needed') : something(counted(rows, 'row', formatCount))
  },
  rebuild(documents, dryRun) {
    const done = documents.flatMap((document) => objectsOf(dryRun ? document.planned : document.rebuilt))
    return done.length === 0
      ? nothing('no index was rebuilt')
      : something(counted(done.length, 'collection', formatCount))
  },
  fts(documents) {
    return something(counted(sum(documents, 'documents'), 'document', formatCount))
  },
  vacuum(documents, dryRun) {
    const bytes = dryRun
      ? sum(documents, 'freeBytes')
      : sum(documents, 'sizeBefore') - sum(documents, 'sizeAfter')
    return something(formatBytes(Math.max(bytes, 0)))
  },
}

function nothing(detail: string): StepOutcome {
  return {changed: false, detail}
}

function something(detail: string): StepOutcome {
  return {changed: true, detail}
}

function sum(documents: readonly Document[], key: string): number {
  return documents.reduce((total, document) => total + numberOf(document[key]), 0)
}

function idOf({collectionId}: Document): string {
  return String(collectionId)
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

function objectsOf(value: unknown): Document[] {
  return Array.isArray(value) ? (value as Document[]) : []
}
