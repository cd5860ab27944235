export {exists} from './exists.js'
export {type Generation, generationText, readGeneration, type SchemaVersions} from './generation.js'
export {
  DATABASE_FILE,
  openPersistDir,
  type PersistDir,
  recoveredText,
  requireChromaDirectory,
} from './persist-dir.js'
export {findOrphanFolders, INDEX_FILES, type OrphanFolder, segmentFolder} from './segment-folders.js'
export {type Size, sizeOf} from './sizes.js'
