export {logPages, type LogRange, type LogRow, readLogEnd} from './log-rows.js'
export {OPERATION} from './operation.js'
export {type PurgeMode, readPurgeMode, requirePurgeSetting, writePurgeMode} from './purge-mode.js'
export {readTopics, type Topic} from './topics.js'
