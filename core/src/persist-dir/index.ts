export {type Generation, generationText} from './generation.js'
export {openPersistDir, type PersistDir} from './persist-dir.js'
export {findOrphanFolders, type OrphanFolder, segmentFolder} from './segment-folders.js'
export {type Size, sizeOf} from './sizes.js'
