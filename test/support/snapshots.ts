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
  return unpack(`python-tool-${version}.sqlite3.gz`)
}

/** A snapshot in version 1 of the format: of the collection `churned` in `default_database` of the fixture of Chroma 1.5.9. */
export function firstVersion(): string {
  return unpack('snapshot-version-1.sqlite3.gz')
}

function unpack(name: string): string {
  const archive = new URL(`../fixtures/${name}`, import.meta.url)
  const file = join(temporaryFolder(), 'snapshot.sqlite3')
  writeFileSync(file, gunzipSync(readFileSync(fileURLToPath(archive))))
  return file
}
