export {commitLog, type CommittedLog} from './commit-log.js'
export {rebuildIndex, type RebuildOptions, type RebuiltIndex} from './rebuild-index.js'
export {type Stage, type StageOptions} from './write-segment.js'
