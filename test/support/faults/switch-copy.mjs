/**
 * A command in miniature, `switch-copy.mjs PERSIST_DIR WAY`: gives the first persisted index a new segment id, its five
 * files copied as they are. `safe` does it with chops's own switch, with a backup, `replace` without one; every other way
 * makes one mistake that a kill or an error at the right moment turns into a loss.
 */
import {readCatalog} from '@chops/core/catalog'
import {switchIndex, withWriteAccess} from '@chops/core/change'
import {randomUUID} from 'node:crypto'
import {existsSync} from 'node:fs'
import {copyFile, mkdir, open, readdir, readFile, rename, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import process from 'node:process'

const [persistDir, way] = process.argv.slice(2)

async function copyFiles(from, to) {
  for (const name of await readdir(from)) {
    const file = join(to, name)
    await copyFile(join(from, name), file)
    const handle = await open(file, 'r')
    await handle.sync()
    await handle.close()
  }
}

async function pointTo({db}, oldId, newId) {
  await db.run('UPDATE segments SET id = ? WHERE id = ?', [newId, oldId])
  await db.run('UPDATE segment_metadata SET segment_id = ? WHERE segment_id = ?', [newId, oldId])
  await db.run('UPDATE max_seq_id SET segment_id = ? WHERE segment_id = ?', [newId, oldId])
}

async function copyAndPoint(dir, {folder, id, newFolder, newId}) {
  await mkdir(newFolder)
  await copyFiles(folder, newFolder)
  await pointTo(dir, id, newId)
}

const WAYS = {
  safe: (dir, {collection, folder}) =>
    switchIndex(dir, collection, {backup: true}, async (stage) => {
      await copyFiles(folder, await stage())
      return {maxSeqId: collection.vectorSegment.maxSeqId}
    }),

  replace: (dir, {collection, folder}) =>
    switchIndex(dir, collection, {backup: false}, async (stage) => {
      await copyFiles(folder, await stage())
      return {maxSeqId: collection.vectorSegment.maxSeqId}
    }),

  async 'deletes before the commit'(dir, index) {
    await dir.db.exec('BEGIN IMMEDIATE')
    await copyAndPoint(dir, index)
    await rm(index.folder, {recursive: true})
    await dir.db.exec('COMMIT')
  },

  async 'has no transaction'(dir, index) {
    await copyAndPoint(dir, index)
    await rename(index.folder, `${index.folder}_backup_20240102030405`)
  },

  async 'does not tidy up'(dir, index) {
    await dir.db.exec('BEGIN IMMEDIATE')
    await copyAndPoint(dir, index)
    await dir.db.exec('COMMIT')
  },

  async 'writes in place'(_, {folder}) {
    for (const name of await readdir(folder)) {
      const file = join(folder, name)
      await writeFile(file, await readFile(file))
    }
  },

  async 'empties the log first'(dir, index) {
    await dir.db.exec('DELETE FROM embeddings_queue')
    await dir.db.exec('BEGIN IMMEDIATE')
    await copyAndPoint(dir, index)
    await dir.db.exec('COMMIT')
  },
}

try {
  await withWriteAccess(persistDir, {}, async (dir) => {
    const {collections} = await readCatalog(dir)
    const collection = collections.find(({vectorSegment}) => vectorSegment.maxSeqId !== undefined)
    const {id} = collection.vectorSegment
    const newId = randomUUID()
    const [folder, newFolder] = [id, newId].map((name) => join(persistDir, name))
    if (!existsSync(folder)) throw new Error(`${folder} is missing`)
    await WAYS[way](dir, {collection, folder, id, newFolder, newId})
  })
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 4
}
