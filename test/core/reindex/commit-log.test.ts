import {withWriteAccess} from '@chops/core/change'
import {commitLog, rebuildIndex} from '@chops/core/reindex'
import {expect} from 'chai'
import {rmSync} from 'node:fs'
import {join} from 'node:path'

import {writeIndexMetadata} from '../../../core/src/hnsw/index-metadata-writer.js'
import {readPersistState} from '../../support/faults/persist-state.js'
import {unpackFixture} from '../../support/fixtures.js'
import {appendLog, locate, readStoredIndex, withoutLoaderInChildren} from '../../support/segments.js'

const ONE_THREAD = {threads: 1}

describe('a small log that is committed to an index', () => {
  withoutLoaderInChildren()

  it('goes into the graph there is, whose other elements stay where they are', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'churned')
    const before = await readStoredIndex(located.folder, 'cosine')
    const committed = await withWriteAccess(persistDir, {}, (dir) => commitLog(dir, located, ONE_THREAD))
    expect(committed?.result).to.include({appliedRows: 20, engine: undefined, method: 'extend'})
    const after = await readStoredIndex(committed?.folder ?? '', 'cosine')
    for (const [id, label] of before.metadata.idToLabel) {
      if (after.metadata.idToLabel.has(id)) expect(after.metadata.idToLabel.get(id)).to.equal(label)
    }

    expect(after.metadata.totalElementsAdded).to.be.at.least(before.metadata.totalElementsAdded)
  })

  it('goes into a graph that was repaired just before', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'churned')
    const repaired = await withWriteAccess(persistDir, {}, (dir) =>
      rebuildIndex(dir, located, {backup: false, method: 'repair'}),
    )
    expect(repaired?.result.method).to.equal('repair')
    const again = await locate(persistDir, 'churned')
    const known = [...(await readStoredIndex(again.folder, 'cosine')).metadata.idToLabel.keys()]
    const rows = known.slice(0, 5).map((id) => ({id, operation: 3}))
    await appendLog(persistDir, again.topic, rows)
    const committed = await withWriteAccess(persistDir, {}, (dir) => commitLog(dir, again, ONE_THREAD))
    expect(committed?.result).to.include({appliedRows: 5, method: 'extend'})
    const after = await readStoredIndex(committed?.folder ?? '', 'cosine')
    expect([...after.metadata.idToLabel.keys()]).to.have.members(known.slice(5))
    expect((await readPersistState(persistDir)).problems).to.deep.equal([])
  })

  it('takes out of reach what no id owns', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'churned')
    const {deleted, metadata} = await readStoredIndex(located.folder, 'cosine')
    const [lost = ''] = metadata.idToLabel.keys()
    metadata.idToLabel.delete(lost)
    const file = join(located.folder, 'index_metadata.pickle')
    rmSync(file)
    await writeIndexMetadata(file, metadata, 'dict')

    const committed = await withWriteAccess(persistDir, {}, (dir) => commitLog(dir, located, ONE_THREAD))
    expect(committed?.result.method).to.equal('extend')
    const after = await readStoredIndex(committed?.folder ?? '', 'cosine')
    expect(after.metadata.idToLabel.has(lost)).to.equal(false)
    expect(after.header.curElementCount - after.deleted).to.equal(after.metadata.idToLabel.size)
    expect(after.deleted).to.be.above(deleted)
  })

  it('only marks elements where it deletes, and changes no vector where it has metadata alone', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const located = await locate(persistDir, 'inner_product')
    const before = await readStoredIndex(located.folder, 'ip')
    const [gone = '', stays = ''] = before.vectors.keys()
    await appendLog(persistDir, located.topic, [
      {id: gone, operation: 3},
      {id: stays, metadata: '{"a": 1}', operation: 1},
    ])
    const committed = await withWriteAccess(persistDir, {}, (dir) => commitLog(dir, located, ONE_THREAD))
    expect(committed?.result).to.include({appliedRows: 2, method: 'extend'})
    const after = await readStoredIndex(committed?.folder ?? '', 'ip')
    before.vectors.delete(gone)
    expect(after.vectors).to.deep.equal(before.vectors)
    expect(after.deleted).to.equal(before.deleted + 1)
  })
})
