import {type BigIntStats, closeSync, fstatSync, statSync} from 'node:fs'

/**
 * POSIX drops every lock that a process holds on a file as soon as the process closes *any* descriptor of that file
 * (https://www.sqlite.org/howtocorrupt.html, section 2.2). So whoever reads a database file directly, beside a
 * connection of this process, would take SQLite's locks away from it.
 */
interface OpenFile {
  connections: number
  /** Descriptors to be closed after the last connection. */
  descriptors: number[]
}

const files = new Map<string, OpenFile>()

function fileId({dev, ino}: BigIntStats): string {
  return `${dev}:${ino}`
}

/** Announces a connection to a database file, before it is opened. Call the result after it has been closed. */
export function registerConnection(path: string): () => void {
  const id = fileId(statSync(path, {bigint: true}))
  const file = files.get(id) ?? {connections: 0, descriptors: []}
  files.set(id, file)
  file.connections++

  return () => {
    file.connections--
    if (file.connections > 0) return
    files.delete(id)
    for (const descriptor of file.descriptors) closeSync(descriptor)
  }
}

/**
 * Closes a descriptor of a database file that was opened without SQLite: now, or once this process has closed its
 * last connection to that file. Never close such a descriptor in any other way.
 */
export function closeBesideConnections(descriptor: number): void {
  const file = files.get(fileId(fstatSync(descriptor, {bigint: true})))
  if (file) file.descriptors.push(descriptor)
  else closeSync(descriptor)
}
