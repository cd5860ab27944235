/** What the calls of `node:fs` and `node:fs/promises` that change something do: the operations for wrap.mjs. */
import {Buffer} from 'node:buffer'
import fs from 'node:fs'
import os from 'node:os'
import {fileURLToPath} from 'node:url'

const MESSAGES = {EIO: 'i/o error', ENOSPC: 'no space left on device'}

/** Standard input, output and errors are no files of the directory. */
const LAST_STANDARD_FD = 2

/** The names of files that are open for writing, by descriptor, and of all that are open as a FileHandle. */
export const names = new Map()
export const handles = new WeakMap()

function systemError(code, syscall, path, dest) {
  const where = [path, dest].filter((name) => name !== undefined).map((name) => `'${name}'`)
  const error = new Error(
    `${code}: ${MESSAGES[code]}, ${[syscall, where.join(' -> ')].filter(Boolean).join(' ')}`,
  )
  return Object.assign(error, {
    errno: -os.constants.errno[code],
    code,
    syscall,
    ...(path !== undefined && {path}),
    ...(dest !== undefined && {dest}),
  })
}

export function text(path) {
  return path instanceof URL ? fileURLToPath(path) : String(path)
}

/** Of a call by path; `paths` is how many of its arguments are. Node names them in its error. */
function onPath(name, syscall, paths = 1) {
  const own = (args) => args.slice(0, paths).map((path) => text(path))
  return {
    describe: (_, args) => ({name, detail: own(args).join(' -> '), changes: true}),
    fail: (code, _, args) => systemError(code, syscall, ...own(args)),
  }
}

function bytesOf(data) {
  return typeof data === 'string' ? Buffer.byteLength(data) : data?.byteLength
}

function halfOfData([data, ...rest]) {
  if (typeof data === 'string') return [data.slice(0, data.length >> 1), ...rest]
  return ArrayBuffer.isView(data)
    ? [new Uint8Array(data.buffer, data.byteOffset, data.byteLength >> 1), ...rest]
    : undefined
}

/** `buffer, offset, length, position`, `buffer, {offset, length, position}` or `text, position, encoding`. */
function halfOfWrite(args) {
  const [data, second, third, fourth] = args
  if (typeof data === 'string') return halfOfData(args)
  const options =
    typeof second === 'object' && second !== null ? second : {offset: second, length: third, position: fourth}
  const offset = options.offset ?? 0
  const length = options.length ?? data.byteLength - offset
  return [data, offset, length >> 1, options.position ?? null]
}

/** What one write call puts down: `length` where it is given, else all of the data. */
function writtenBytes([data, second, third]) {
  return (typeof second === 'object' ? second?.length : third) ?? bytesOf(data)
}

/** The calls on an open file, by descriptor (first argument) and as methods of FileHandle: `[syscall, more]`. */
export const ON_FILE = {
  appendFile: ['write', {bytes: ([data]) => bytesOf(data), half: halfOfData}],
  chmod: ['fchmod', {}],
  datasync: ['fdatasync', {}],
  sync: ['fsync', {}],
  truncate: ['ftruncate', {}],
  utimes: ['futime', {}],
  write: ['write', {bytes: writtenBytes, half: halfOfWrite, short: true}],
  writeFile: ['write', {bytes: ([data]) => bytesOf(data), half: halfOfData}],
  writev: ['write', {half: ([list, ...rest]) => [list.slice(0, list.length >> 1), ...rest], short: true}],
}

export const NAMES_BY_FD = {
  chmod: 'fchmod',
  datasync: 'fdatasync',
  sync: 'fsync',
  truncate: 'ftruncate',
  utimes: 'futimes',
}

/** An error on an open file does not say which file it is about. */
export function onFile(method, syscall, {bytes, finish, half, short}, {fileOf, nameOf, rest}) {
  return {
    describe(self, args) {
      const name = nameOf(self, args)
      if (name === undefined || (method === 'close' && name === '')) return
      return {name: method, detail: name, changes: true, bytes: bytes?.(rest(args))}
    },
    fail: (code) => systemError(code, syscall),
    file: short && fileOf,
    finish,
    half:
      half && ((args) => [...args.slice(0, args.length - rest(args).length), ...(half(rest(args)) ?? [])]),
  }
}

export const BY_HANDLE = {
  fileOf: (self) => self,
  nameOf: (self) => handles.get(self) ?? '',
  rest: (args) => args,
}

export const BY_DESCRIPTOR = {
  fileOf: (_, [fd]) => fd,
  nameOf: (_, [fd]) => (fd <= LAST_STANDARD_FD ? undefined : (names.get(fd) ?? '')),
  rest: ([, ...rest]) => rest,
}

export const CLOSE_HANDLE = onFile('close', 'close', {finish: true}, BY_HANDLE)

/** `writeFile` and `appendFile` by path; the write that fails has no path in its error. */
function onWholeFile(method) {
  const {half} = ON_FILE[method][1]
  return {
    describe: (_, [file, data]) =>
      typeof file === 'number' && file <= LAST_STANDARD_FD
        ? undefined
        : {name: method, detail: handles.get(file) ?? text(file), changes: true, bytes: bytesOf(data)},
    fail: (code) => systemError(code, 'write'),
    half([file, ...rest]) {
      const halved = half(rest)
      return halved && [file, ...halved]
    },
  }
}

export function isWriting(flags = 'r') {
  const {O_CREAT, O_RDWR, O_TRUNC, O_WRONLY} = fs.constants
  return typeof flags === 'number'
    ? (flags & (O_CREAT | O_RDWR | O_TRUNC | O_WRONLY)) !== 0
    : !['r', 'rs', 'sr'].includes(flags)
}

export const flagsOf = (args) => (typeof args[1] === 'function' ? undefined : (args[1] ?? undefined))

export const OPEN = {
  describe: (_, args) =>
    isWriting(flagsOf(args)) ? {name: 'open', detail: text(args[0]), changes: true} : undefined,
  fail: (code, _, [path]) => systemError(code, 'open', text(path)),
}

export const ON_PATH = {
  chmod: onPath('chmod', 'chmod'),
  chown: onPath('chown', 'chown'),
  copyFile: onPath('copyFile', 'copyfile', 2),
  cp: onPath('cp', 'cp', 2),
  link: onPath('link', 'link', 2),
  mkdir: onPath('mkdir', 'mkdir'),
  mkdtemp: onPath('mkdtemp', 'mkdtemp'),
  rename: onPath('rename', 'rename', 2),
  rmdir: onPath('rmdir', 'rmdir'),
  symlink: onPath('symlink', 'symlink', 2),
  truncate: onPath('truncate', 'open'),
  unlink: onPath('unlink', 'unlink'),
  utimes: onPath('utimes', 'utime'),
  appendFile: onWholeFile('appendFile'),
  writeFile: onWholeFile('writeFile'),
}
