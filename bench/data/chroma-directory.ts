import {execFile} from 'node:child_process'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'

import {cached} from './cache.js'

/** Part of the folder's name: to be raised with every change of what is generated. */
const EDITION = 1

const WRITER = fileURLToPath(new URL('chroma_directory.py', import.meta.url))
const call = promisify(execFile)

export interface Contents {
  deleted: number
  dimension: number
  /** Whether each record has a document of 30 words, and four values of metadata. */
  documents?: boolean
  records: number
  /** Writes after which Chroma writes the index. */
  threshold: number
}

/** A persist directory that the Chroma of the Python tool wrote, with one collection `docs`. */
export async function chromaDirectory(
  tool: string,
  {deleted, dimension, documents = false, records, threshold}: Contents,
): Promise<string> {
  const numbers = [records, dimension, deleted, threshold].map(String)
  const name = `chroma-${numbers.join('-')}${documents ? '-documents' : ''}-${EDITION}`
  return cached(name, async (folder) => {
    await call(join(dirname(tool), 'python'), [WRITER, folder, ...numbers, documents ? '30' : '0'])
  })
}
