import {readCatalog} from '../../core/src/catalog/catalog.js'
import type {PersistDir} from '../../core/src/persist-dir/persist-dir.js'
import {backUp} from '../../plugins/ops-db/src/services/backup/backup.js'
import {takeSnapshot} from '../../plugins/ops-snapshot/src/services/snapshot/take-snapshot.js'

/** The services that copy index files beside what they read in the database; the snapshot is of `churned`. */
export const COPIES: Record<string, (dir: PersistDir, output: string) => Promise<unknown>> = {
  async 'db backup'(dir, output) {
    return backUp(dir, {exists: false, format: 'directory', path: output})
  },
  async 'collection snapshot'(dir, output) {
    const {collections} = await readCatalog(dir)
    const churned = collections.find(({name}) => name === 'churned')
    return takeSnapshot(dir, {id: churned?.id ?? ''}, output, {compression: 'zlib'})
  },
}
