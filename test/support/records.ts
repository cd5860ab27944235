import {readCatalog} from '../../core/src/catalog/catalog.js'
import {selectCollection} from '../../core/src/catalog/select-collection.js'
import {openPersistDir} from '../../core/src/persist-dir/persist-dir.js'
import {type ChromaRecord, RecordReader} from '../../core/src/records/index.js'

export interface Place {
  database?: string
  name: string
  tenant?: string
}

/** All records of a collection as Chroma would answer, by id. */
export async function readRecords(persistDir: string, place: Place): Promise<Map<string, ChromaRecord>> {
  const dir = await openPersistDir(persistDir)
  try {
    const reader = await RecordReader.open(dir, selectCollection(await readCatalog(dir), place))
    const records = new Map<string, ChromaRecord>()
    try {
      for await (const page of reader.pages({})) for (const record of page) records.set(record.id, record)
    } finally {
      reader.close()
    }

    return records
  } finally {
    await dir.close()
  }
}
