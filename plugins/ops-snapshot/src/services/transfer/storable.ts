import {damaged} from '@chops/core/errors'
import type {Generation} from '@chops/core/persist-dir'
import type {ChromaRecord} from '@chops/core/records'

import {listsUnknown, takesLists} from './stored-record.js'

/**
 * Refuses what a directory cannot hold, or a server cannot say, as soon as it arrives.
 *
 * @param dimension of the collection on the server; null when nothing fixed it yet
 * @throws ChopsError that names the record
 */
export function requireStorable(
  records: readonly ChromaRecord[],
  {dimension, generation}: {dimension: null | number; generation: Generation},
): void {
  for (const {embedding, id, metadata} of records) {
    const record = `the record ${JSON.stringify(id)}`
    if (!embedding || embedding.length !== (dimension ?? embedding.length)) {
      throw damaged(`On the server ${record} has no embedding of ${dimension ?? 'any'} dimensions.`, {
        next: 'Nothing was changed; see to it on the server, and run the command again.',
      })
    }

    if (!embedding.every((value) => Number.isFinite(value))) {
      throw damaged(
        `The embedding of ${record} has a value on the server that is no finite number, which JSON cannot say.`,
        {
          next: 'Nothing was changed; embed the record again on the server, and run the command with --resume.',
        },
      )
    }

    if (takesLists(generation)) continue
    const list = Object.entries(metadata ?? {}).find(([, value]) => Array.isArray(value))
    if (list) throw listsUnknown(`The metadata ${JSON.stringify(list[0])} of ${record}`)
  }
}
