export {deletePlanned, type KeepReason, planCleaning, type TopicCleaning} from './cleaning.js'
export {type PurgeMode, readPurgeMode, requirePurgeSetting, writePurgeMode} from './purge-mode.js'
export {readTopics, type Topic} from './topics.js'
