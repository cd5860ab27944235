export {type Database, keysetPages, type SqlValue, transaction} from './database.js'
