/** Makes points of the calls of `node:fs` and `node:fs/promises` that change something. */
import fs from 'node:fs'
import {syncBuiltinESMExports} from 'node:module'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {
  BY_DESCRIPTOR,
  BY_HANDLE,
  CLOSE_HANDLE,
  flagsOf,
  handles,
  isWriting,
  names,
  NAMES_BY_FD,
  ON_FILE,
  ON_PATH,
  onFile,
  OPEN,
  text,
} from './file-operations.mjs'
import {wrapAsync, wrapCallback, wrapSync} from './wrap.mjs'

function wrapOpen() {
  const {open, openSync} = fs
  fs.openSync = wrapSync((...args) => {
    const fd = openSync(...args)
    if (isWriting(flagsOf(args))) names.set(fd, text(args[0]))
    return fd
  }, OPEN)
  fs.open = wrapCallback((...args) => {
    const done = args.pop()
    open(...args, (error, fd) => {
      if (!error && isWriting(flagsOf(args))) names.set(fd, text(args[0]))
      done(error, fd)
    })
  }, OPEN)
  const openHandle = fs.promises.open
  fs.promises.open = wrapAsync(async (...args) => {
    const handle = await openHandle(...args)
    handles.set(handle, text(args[0]))
    // The one method that is not on the prototype; closing what was only read changes nothing.
    if (isWriting(flagsOf(args))) handle.close = wrapAsync(handle.close, CLOSE_HANDLE)
    return handle
  }, OPEN)
}

function wrapClose() {
  const {close, closeSync} = fs
  const operation = onFile('close', 'close', {finish: true}, BY_DESCRIPTOR)
  fs.closeSync = wrapSync((fd) => {
    names.delete(fd)
    closeSync(fd)
  }, operation)
  fs.close = wrapCallback((fd, done) => {
    names.delete(fd)
    close(fd, done)
  }, operation)
}

/** Removing a folder is many calls, and what is left between two of them matters: so each is a point of its own. */
function wrapRemove() {
  const {lstatSync, readdirSync, rmSync} = fs
  const {rm} = fs.promises
  /** What a call comes to; `as is` where it removes nothing or fails by itself. */
  const workOf = (path, options) => {
    const stats = lstatSync(path, {throwIfNoEntry: false})
    if (stats && !stats.isDirectory()) return {files: [], remove: 'unlink'}
    if (!stats || !options?.recursive) return {files: [], remove: 'as is'}
    const files = readdirSync(path).sort()
    return {files: files.map((name) => join(text(path), name)), remove: 'rmdir'}
  }

  fs.rmSync = (path, options) => {
    const {files, remove} = workOf(path, options)
    for (const file of files) fs.rmSync(file, options)
    if (remove === 'as is') rmSync(path, options)
    else fs[`${remove}Sync`](path)
  }

  fs.promises.rm = async (path, options) => {
    const {files, remove} = workOf(path, options)
    for (const file of files) await fs.promises.rm(file, options)
    return remove === 'as is' ? rm(path, options) : fs.promises[remove](path)
  }

  fs.rm = (path, ...rest) => {
    const done = rest.pop()
    fs.promises.rm(path, ...rest).then(() => done(null), done)
  }
}

/** Wraps everything; named imports of the two modules see it as well. */
export async function wrapFileSystem() {
  const handle = await fs.promises.open(fileURLToPath(import.meta.url))
  const methods = Object.getPrototypeOf(handle)
  await handle.close()

  for (const [name, operation] of Object.entries(ON_PATH)) {
    fs[name] = wrapCallback(fs[name], operation)
    fs[`${name}Sync`] = wrapSync(fs[`${name}Sync`], operation)
    fs.promises[name] = wrapAsync(fs.promises[name], operation)
  }

  for (const [method, [syscall, more]] of Object.entries(ON_FILE)) {
    methods[method] = wrapAsync(methods[method], onFile(method, syscall, more, BY_HANDLE))
    // These take a path as well, and so are among those above.
    if (['appendFile', 'writeFile'].includes(method)) continue
    const name = NAMES_BY_FD[method] ?? method
    const operation = onFile(method, syscall, more, BY_DESCRIPTOR)
    fs[name] = wrapCallback(fs[name], operation)
    fs[`${name}Sync`] = wrapSync(fs[`${name}Sync`], operation)
  }

  wrapOpen()
  wrapClose()
  wrapRemove()
  syncBuiltinESMExports()
}
