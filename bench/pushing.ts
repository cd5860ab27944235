import {mkdir, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {readCatalog, selectCollection} from '../core/src/catalog/index.js'
import {openPersistDir} from '../core/src/persist-dir/persist-dir.js'
import {type ChromaRecord, RecordReader} from '../core/src/records/index.js'
import {RunningServer} from '../test/engines/support/server.js'
import {temporaryFolder} from '../test/support/fixtures.js'
import {chops} from './chops.js'
import {chromaDirectory, type Contents} from './data/chroma-directory.js'
import {chromaWheel, pythonTool} from './data/python-tool.js'
import {compare, type Row} from './results.js'
import {type Command, interleave} from './run.js'

const ROUNDS = 5
const GOAL = 1 / 0.8
const CONTENTS: Contents = {deleted: 0, dimension: 384, documents: true, records: 20_000, threshold: 1000}
const NAME = `collection push, ${CONTENTS.records} x ${CONTENTS.dimension} with documents`
const LOOP = fileURLToPath(new URL('data/push-loop.mjs', import.meta.url))

/** A push to a server of Chroma 1.5.9 on this machine, beside a bare loop with the client that chops uses. */
export async function measurePushing(): Promise<Row[]> {
  const python = await pythonTool()
  const chroma = await chromaWheel()
  if ('skipped' in python) return [{name: NAME, ...python}]
  if ('skipped' in chroma) return [{name: NAME, ...chroma}]
  const directory = await chromaDirectory(python.path, CONTENTS)
  const folder = temporaryFolder()
  const prepared = await recordsOf(directory, folder)
  const served = join(folder, 'served')
  await mkdir(served)
  const server = await RunningServer.start(
    {python: join(dirname(chroma.path), 'python'), version: '1.5.9'},
    served,
  )
  try {
    const {hostname, port} = new URL(server.url)
    const push = ['collection', 'push', directory, '--collection', 'docs', '--url', server.url, '--yes']
    const commands: Record<string, Command> = {
      chops: chops(...push, '--as', 'chops'),
      loop: {args: [LOOP, ...prepared, hostname, port, 'loop'], file: process.execPath},
    }
    const runs = await interleave(commands, {
      memory: 'with children',
      async prepare() {
        for (const name of Object.keys(commands)) await forget(server, name)
      },
      rounds: ROUNDS,
    })
    const measured = (name: string, key: string) => ({name, runs: runs.get(key) ?? []})
    return [
      compare(measured(NAME, 'chops'), measured('the same client in a bare loop', 'loop'), {ratio: GOAL}),
    ]
  } finally {
    await server.stop()
  }
}

/** Writes what the loop sends, so that it need not read Chroma's files. */
async function recordsOf(directory: string, folder: string): Promise<[records: string, vectors: string]> {
  const dir = await openPersistDir(directory)
  const reader = await RecordReader.open(dir, selectCollection(await readCatalog(dir), {name: 'docs'}))
  const records: ChromaRecord[] = []
  for await (const page of reader.pages()) records.push(...page)
  await reader.close()
  await dir.close()
  const files: [string, string] = [join(folder, 'records.json'), join(folder, 'vectors.f32')]
  const columns = {
    dimension: CONTENTS.dimension,
    documents: records.map(({document}) => document),
    ids: records.map(({id}) => id),
    metadatas: records.map(({metadata}) => metadata),
  }
  await writeFile(
    files[0],
    JSON.stringify(columns, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)),
  )
  await writeFile(
    files[1],
    Buffer.concat(records.map(({embedding}) => Buffer.from(Float32Array.from(embedding ?? []).buffer))),
  )
  return files
}

async function forget(server: RunningServer, name: string): Promise<void> {
  await fetch(`${server.url}/api/v2/tenants/default_tenant/databases/default_database/collections/${name}`, {
    method: 'DELETE',
  })
}
