/**
 * Loaded before everything else in a process under test and in all processes and threads that it starts
 * (`NODE_OPTIONS=--import <this file>`): see points.mjs.
 */
import {wrapFileSystem} from './file-system.mjs'
import {wrapNativeSaves} from './native-saves.mjs'
import {wrapSqlite} from './sqlite.mjs'

await wrapFileSystem()
wrapSqlite()
wrapNativeSaves()
