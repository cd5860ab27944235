import {join} from 'node:path'

import {type ChopsError, damaged} from '../errors.js'
import type {HnswHeader} from './header-layout.js'
import {INDEX_METADATA_FILE} from './index-metadata.js'

/** SQLite says that there is an index, and the folder holds none. */
export function indexMissing(folder: string, maxSeqId: number): ChopsError {
  const file = join(folder, INDEX_METADATA_FILE)
  return damaged(`${file} is missing, although the index has applied the log up to row ${maxSeqId}.`, {
    file,
    next: `${fromBackup(folder)}: vectors that left the log exist nowhere else.`,
  })
}

/** The first write of an index was broken off. */
export function halfWritten(folder: string): ChopsError {
  const file = join(folder, INDEX_METADATA_FILE)
  return damaged(
    `${file} is missing, although header.bin counts elements: the index was only half written.`,
    {file, next: `${fromBackup(folder)}.`},
  )
}

/**
 * @param dimension of the collection; null when nothing fixed it yet
 * @throws ChopsError `damaged` when the vectors of the index have another one
 */
export function requireDimension(
  folder: string,
  header: Pick<HnswHeader, 'dimension'>,
  dimension: null | number,
): void {
  if (dimension === null || header.dimension === dimension) return
  const file = join(folder, 'header.bin')
  throw damaged(
    `${file} has vectors of ${header.dimension} dimensions, and the collection has ${dimension}.`,
    {file, next: `${fromBackup(folder)}.`},
  )
}

/** The next step, without its stop: nothing that chops could do. */
export function fromBackup(folder: string): string {
  return `Put the folder ${folder} back from a backup`
}
