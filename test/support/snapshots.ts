import {expect} from 'chai'
import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {gunzipSync} from 'node:zlib'

import {chops} from './cli.js'
import {temporaryFolder} from './fixtures.js'
import type {Place} from './records.js'

/** Takes a snapshot with the real command and returns its file. */
export async function takeSnapshot(
  persistDir: string,
  {database, name, tenant}: Place,
  ...more: string[]
): Promise<string> {
  const file = join(temporaryFolder(), 'snapshot')
  const place = [
    ...(database === undefined ? [] : ['-d', database]),
    ...(tenant === undefined ? [] : ['--tenant', tenant]),
  ]
  const args = ['collection', 'snapshot', persistDir, '-c', name, ...place, '-o', file, ...more]
  const {code, stderr} = await chops(args)
  expect(code, stderr).to.equal(0)
  return file
}

/**
 * A snapshot that the Python tool chromadb-ops 0.1.5 took: of the collection `churned` in `default_database` of the
 * fixture of that Chroma.
 */
export function pythonSnapshot(version: '0.6.3' | '1.0.16'): string {
  const archive = new URL(`../fixtures/python-tool-${version}.sqlite3.gz`, import.meta.url)
  const file = join(temporaryFolder(), 'python.sqlite3')
  writeFileSync(file, gunzipSync(readFileSync(fileURLToPath(archive))))
  return file
}
