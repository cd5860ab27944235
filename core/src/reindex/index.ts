export {commitLog, type CommittedLog, requireCommittable} from './commit-log.js'
export {estimateMemory, type MemoryNeed} from './memory.js'
export {type Method, type MethodChoice, type MethodOptions} from './method.js'
export {
  planMethod,
  rebuildIndex,
  type RebuildOptions,
  type RebuiltIndex,
  requireRebuildable,
} from './rebuild-index.js'
export {recallWarning, type Stage, type StageOptions} from './write-segment.js'
