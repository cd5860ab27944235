export {commitLog, type CommittedLog} from './commit-log.js'
export {rebuildIndex, type RebuildOptions, type RebuiltIndex, requireRebuildable} from './rebuild-index.js'
export {recallWarning, type Stage, type StageOptions} from './write-segment.js'
