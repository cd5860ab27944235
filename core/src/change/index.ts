export {requireFreeSpace} from './disk-space.js'
export {fsyncPath} from './durable.js'
export {type StagedIndex, type SwitchedIndex, switchIndex, type SwitchOptions} from './index-switch.js'
export {requireUnused, withWriteAccess, type WriteOptions} from './write-access.js'
