export {type PurgeMode, readPurgeMode} from './purge-mode.js'
export {readTopics, type Topic} from './topics.js'
