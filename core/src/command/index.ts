export {type ChangeFlags, ChopsCommand} from './base-command.js'
export {EXIT_CODE} from './exit-codes.js'
export {
  changeFlags,
  collectionFlags,
  memoryFlag,
  nameList,
  persistDirArg,
  placeFlags,
  shareFlag,
} from './flags.js'
export {type ProgressMessage, progressOf} from './progress.js'
