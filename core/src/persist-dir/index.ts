export {exists} from './exists.js'
export {
  type Generation,
  generationOf,
  generationText,
  NEWEST_SCHEMA,
  reachesSchema,
  readGeneration,
  type SchemaVersions,
} from './generation.js'
export {
  findLeftovers,
  findOrphanFolders,
  isTrash,
  type Leftover,
  type LeftoverKind,
  type OrphanFolder,
} from './leftovers.js'
export {
  DATABASE_FILE,
  openPersistDir,
  type PersistDir,
  recoveredText,
  requireChromaDirectory,
} from './persist-dir.js'
export {INDEX_FILES, isUuid, segmentFolder} from './segment-folders.js'
export {type Size, sizeOf} from './sizes.js'
