export {writeHnswParameters, writeMetadataParameters} from '../catalog/write-hnsw-parameters.js'
export {createChromaDatabase} from '../persist-dir/create.js'
export {allEnded} from './all-ended.js'
export {betweenWrites, journalOf} from './between-writes.js'
export {backUpDatabase, type DatabaseBackup} from './database-backup.js'
export {requireFreeSpace} from './disk-space.js'
export {fsyncPath} from './durable.js'
export {namingFile, writeAt} from './file-writes.js'
export {
  removeUnlessOwned,
  retire,
  type StagedIndex,
  type SwitchedIndex,
  switchIndex,
  type SwitchOptions,
} from './index-switch.js'
export {findHolders, type Holder} from './open-files.js'
export {
  createOutputFile,
  inspectOutputFile,
  type OutputFile,
  realFolder,
  type Write,
  writeOutputFile,
} from './output-file.js'
export {withPassLock} from './pass-lock.js'
export {readAhead} from './read-ahead.js'
export {emptyTrash, moveToTrash} from './trash.js'
export {isWorthVacuuming, type PageCounts, readPageCounts, requireRoomForVacuum, vacuum} from './vacuum.js'
export {requireUnused, withWriteAccess, type WriteOptions} from './write-access.js'
