import type {Database} from '@chops/core/sqlite'

import {createInflate} from 'node:zlib'

import {contradiction} from './contents.js'
import type {StoredFile} from './read-index.js'
import {FILE_NAMES} from './tables.js'

/**
 * The index files of a snapshot of the Python tool, which stores each as one compressed value and not its size. Other
 * files that lay in the folder are passed over.
 */
export async function readPythonFiles(db: Database): Promise<StoredFile[]> {
  const rows = await db.all<{filename: string; sha256: string}>(
    'SELECT filename, sha256 FROM hnsw_segment_data ORDER BY id LIMIT 100',
  )
  const known = rows.filter(({filename}) => FILE_NAMES.has(filename))
  if (new Set(known.map(({filename}) => filename)).size !== known.length)
    throw contradiction(db, 'holds an index file twice')
  const files: StoredFile[] = []
  for (const {filename, sha256} of known) {
    let size = 0
    for await (const chunk of readPythonFile(db, {filename})) size += chunk.byteLength
    files.push({filename, sha256, size})
  }

  return files
}

/**
 * The bytes of a file, in pieces as they are expanded. Memory: the compressed file.
 *
 * @yields some bytes
 */
export async function* readPythonFile(
  db: Database,
  {filename}: Pick<StoredFile, 'filename'>,
): AsyncGenerator<Uint8Array> {
  const row = await db.get<{data: unknown}>('SELECT data FROM hnsw_segment_data WHERE filename = ?', [
    filename,
  ])
  if (!(row?.data instanceof Uint8Array)) throw contradiction(db, `has no bytes for ${filename}`)
  const inflate = createInflate()
  inflate.end(row.data)
  try {
    for await (const chunk of inflate) yield chunk as Uint8Array
  } catch (error) {
    if (
      typeof (error as {code?: unknown}).code !== 'string' ||
      !String((error as {code: string}).code).startsWith('Z_')
    )
      throw error
    throw contradiction(db, `has a ${filename} that cannot be expanded`)
  }
}
