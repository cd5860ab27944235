import {readlinkSync, statSync} from 'node:fs'
import {readdir, readFile} from 'node:fs/promises'
import {basename, join} from 'node:path'

import {DATABASE_FILE} from '../persist-dir/persist-dir.js'
import {isUuid} from '../persist-dir/segment-folders.js'

/** The file whose lock a maintenance pass holds; see `withPassLock`. */
export const PASS_LOCK_FILE = '.chops.lock'

const UUID_LENGTH = 36

/** Another process that has a file of the directory open. */
export interface Holder {
  /** A file it holds. */
  file: string
  pid: number
  /** The program's command line, or its name where that cannot be read. */
  program: string
}

/** The file of the caller's that an open one is, if it is one of those it looks for. `link` leads to it in `/proc`. */
type Recognise = (file: string, link: string) => string | undefined

/**
 * Processes other than this one that have the database or a file of a segment's folder open, from `/proc/<pid>/fd`. What
 * else lies in `directory` may be open: the log that a pass writes to, or its lock.
 *
 * Every Chroma from 0.4.24 to 1.5 keeps `chroma.sqlite3` open as long as it runs. Under a bind mount, and in a container,
 * that file has another path, so it is recognised by its inode too. Where there is no `/proc` the list is empty and
 * SQLite's own lock is the only guard; processes of other users are seen by root alone.
 *
 * @param directory absolute and real (no symbolic links), as the kernel reports open files
 */
export async function findHolders(directory: string): Promise<Holder[]> {
  const database = join(directory, DATABASE_FILE)
  const inode = inodeOf(database)
  return findProcesses((file, link) => {
    if (file.startsWith(`${directory}/`))
      return isOfChroma(file.slice(directory.length + 1)) ? file : undefined
    const isDatabase = basename(file) === DATABASE_FILE && inode !== undefined && inodeOf(link) === inode
    return isDatabase ? database : undefined
  })
}

/** Processes other than this one that have a file open; nothing where there is no `/proc`. */
export async function findProcesses(recognise: Recognise): Promise<Holder[]> {
  const pids = (await listOrNothing('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const holders = await Promise.all(
    pids.filter((pid) => pid !== process.pid).map((pid) => holderOf(pid, recognise)),
  )
  return holders.filter((holder) => holder !== undefined)
}

async function holderOf(pid: number, recognise: Recognise): Promise<Holder | undefined> {
  const folder = `/proc/${pid}/fd`
  for (const descriptor of await listOrNothing(folder)) {
    const link = `${folder}/${descriptor}`
    const file = recognise(targetOf(link), link)
    if (file !== undefined) return {file, pid, program: await programOf(pid)}
  }

  return undefined
}

/** Whether a path within a persist directory is that of the database, of its sidecars, or in a segment's folder. */
function isOfChroma(path: string): boolean {
  return path.startsWith(DATABASE_FILE) || (path.includes('/') && isUuid(path.slice(0, UUID_LENGTH)))
}

function inodeOf(path: string): string | undefined {
  try {
    const {dev, ino} = statSync(path, {bigint: true})
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}

/** Without waiting: the kernel answers from memory, ten times faster than the event loop takes to ask for it. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}

async function programOf(pid: number): Promise<string> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  const words = commandLine.split('\0').filter(Boolean)
  if (words.length > 0) return words.join(' ').slice(0, 200)
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'unknown')).trim()
}

/** A process may end, or belong to someone else, while it is looked at. */
async function listOrNothing(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}
