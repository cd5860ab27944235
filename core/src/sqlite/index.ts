export {type Database, keysetPages, type SqlValue, transaction} from './database.js'
export {primaryCode} from './errors.js'
export {openDatabase} from './open.js'
