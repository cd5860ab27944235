import {deepEqual, equal} from 'node:assert/strict'
import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {headerOf} from '../../../core/src/hnsw/build/index-files.js'
import {encodeHeader, inspectHeader, readHeader} from '../../../core/src/hnsw/header.js'
import {segmentFolders} from '../../core/hnsw/segment-folders.js'
import {outcome, workFolder} from '../support.js'

const folder = workFolder()

/** `header.bin`: what is accepted has the one layout that its shape allows, and is written back to the byte. */
export async function fuzz(data: Buffer): Promise<void> {
  writeFileSync(join(folder, 'header.bin'), data)
  const {header} = await inspectHeader(folder)
  equal(await outcome(() => readHeader(folder)), undefined, 'a header alone is no index')
  if (!header) return
  deepEqual(encodeHeader(header), data)
  deepEqual({...headerOf(header), mult: header.mult}, header)
}

export function* seeds(): Generator<[string, Buffer]> {
  for (const fixture of ['chroma-0.4.24', 'chroma-1.5.9'] as const) {
    const headers = segmentFolders(fixture).map((segment) => readFileSync(join(segment, 'header.bin')))
    for (const [index, header] of headers.slice(0, 3).entries()) yield [`${fixture}-${index}`, header]
  }
}
