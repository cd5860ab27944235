/** Makes points of the SQL statements that both drivers run. */
import Module from 'node:module'
import process from 'node:process'

import {wrapCallback, wrapSync} from './wrap.mjs'

/** SQLITE_FULL and SQLITE_IOERR (of a write), https://www.sqlite.org/rescode.html */
const FAILURES = {
  EIO: {code: 10, extended: 778, name: 'SQLITE_IOERR', text: 'disk I/O error'},
  ENOSPC: {code: 13, extended: 13, name: 'SQLITE_FULL', text: 'database or disk is full'},
}

/** Statements that only read; BEGIN and COMMIT count among the others. */
const READING =
  /^\s*(?:SELECT|VALUES|EXPLAIN|PRAGMA\s[^=]*$|WITH\b(?![\s\S]*\)\s*(?:DELETE|INSERT|REPLACE|UPDATE)\b))/i

const DETAIL_LENGTH = 100

function point(sql) {
  const detail = sql.trim().replaceAll(/\s+/g, ' ').slice(0, DETAIL_LENGTH)
  return {name: 'sql', detail, changes: !READING.test(sql)}
}

/** SQLite answers a full disk by rolling the whole transaction back; an I/O error leaves that to the caller here. */
function wrapNodeSqlite({DatabaseSync, StatementSync}) {
  const {exec, prepare} = DatabaseSync.prototype
  const statements = new WeakMap()
  const failOn = (code, db) => {
    try {
      if (code === 'ENOSPC') Reflect.apply(exec, db, ['ROLLBACK'])
    } catch {
      // There was no transaction.
    }

    const {extended, text} = FAILURES[code]
    return Object.assign(new Error(text), {code: 'ERR_SQLITE_ERROR', errcode: extended, errstr: text})
  }

  DatabaseSync.prototype.exec = wrapSync(exec, {
    describe: (_, [sql]) => point(sql),
    fail: (code, db) => failOn(code, db),
  })
  DatabaseSync.prototype.prepare = function (sql, ...rest) {
    const statement = Reflect.apply(prepare, this, [sql, ...rest])
    statements.set(statement, {db: this, sql})
    return statement
  }

  for (const method of ['all', 'get', 'iterate', 'run']) {
    StatementSync.prototype[method] = wrapSync(StatementSync.prototype[method], {
      describe: (statement) => point(statements.get(statement).sql),
      fail: (code, statement) => failOn(code, statements.get(statement).db),
    })
  }
}

function wrapSqlite3({Database, Statement}) {
  const {exec} = Database.prototype
  const databases = new WeakMap()
  const calling = []
  const rollBack = (db) =>
    new Promise((resolve) => {
      // It fails where there is no transaction.
      Reflect.apply(exec, db, ['ROLLBACK', resolve])
    })
  const failOn = async (code, db) => {
    if (code === 'ENOSPC') await rollBack(db)
    const {code: errno, name, text} = FAILURES[code]
    return Object.assign(new Error(`${name}: ${text}`), {errno, code: name})
  }

  Database.prototype.exec = wrapCallback(exec, {
    describe: (_, [sql]) => point(sql),
    fail: (code, db) => failOn(code, db),
  })
  // The methods of Database make a Statement and call the method of the same name of it.
  for (const method of ['all', 'get', 'prepare', 'run']) {
    const original = Database.prototype[method]
    Database.prototype[method] = function (...args) {
      calling.push(this)
      try {
        const result = Reflect.apply(original, this, args)
        if (method === 'prepare') databases.set(result, this)
        return result
      } finally {
        calling.pop()
      }
    }
  }

  for (const method of ['all', 'get', 'run']) {
    const wrapped = wrapCallback(Statement.prototype[method], {
      describe: (statement) => point(statement.sql),
      fail: (code, statement) => failOn(code, databases.get(statement)),
    })
    Statement.prototype[method] = function (...args) {
      const [db] = calling
      if (db) databases.set(this, db)
      return Reflect.apply(wrapped, this, args)
    }
  }
}

/** Wraps `node:sqlite` and the `sqlite3` package at the moment when the process loads one of them. */
export function wrapSqlite() {
  const seen = new WeakSet()
  const once = (module, wrap) => {
    if (!seen.has(module)) wrap(module)
    seen.add(module)
    return module
  }

  const {getBuiltinModule} = process
  process.getBuiltinModule = (name) => {
    const module = getBuiltinModule(name)
    return module && name === 'node:sqlite' ? once(module, wrapNodeSqlite) : module
  }

  const load = Module._load
  Module._load = function (...args) {
    const module = Reflect.apply(load, this, args)
    // `verbose` comes last in sqlite3.js, so the methods are complete, which those of its binding are not.
    const isSqlite3 = /sqlite3/.test(args[0]) && typeof module?.verbose === 'function'
    return isSqlite3 ? once(module, wrapSqlite3) : module
  }
}
