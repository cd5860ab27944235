import {findOrphanFolders} from '@chops/core/persist-dir'
import {counted, formatBytes} from '@chops/core/output'
import {readdir} from 'node:fs/promises'

import type {CheckContext} from './context.js'
import type {LedgerRow} from './ledger.js'

import {commandLine} from './finding.js'
import {LARGE_LEFTOVER} from './leftovers.js'
import {listText} from './list-text.js'

/** A name that begins with a UUID and goes on: what people and tools call an index folder that they put away. */
const PUT_AWAY = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}[._-].+$/i

/** H2 and X2: folders that no segment owns, and whether one of them may hold the last copy of a vector. */
export async function checkFolders(
  {facts, findings, path}: CheckContext,
  ledger: LedgerRow[],
): Promise<void> {
  const orphans = await findOrphanFolders(
    path,
    facts.segments.map(({id}) => id),
  )
  const names = await readdir(path, {withFileTypes: true})
  const putAway = names
    .filter((entry) => entry.isDirectory() && PUT_AWAY.test(entry.name))
    .map(({name}) => name)
  const size = orphans.reduce((sum, orphan) => sum + orphan.size.allocated, 0)
  if (orphans.length > 0) {
    findings.add(
      'H2',
      `${counted(orphans.length, 'folder')} of indexes that no collection has any more (${formatBytes(size)}): ${listText(orphans.map(({id}) => id))}.`,
      {command: commandLine('db', 'clean', path), severity: size >= LARGE_LEFTOVER ? 'W' : 'I'},
    )
  }

  if (putAway.length > 0) {
    const message = `${counted(putAway.length, 'folder')} that somebody put away: ${listText(putAway.sort())}.`
    findings.add('H2', message, {command: commandLine('db', 'clean', path, '--backups'), severity: 'I'})
  }

  const lacking = ledger.filter(({lost}) => lost === null || lost > 0)
  if (lacking.length > 0 && orphans.length + putAway.length > 0) {
    const lost = listText(lacking.map(({name}) => JSON.stringify(name)))
    const message = `Keep the folders that no collection has: they may hold vectors that are missing from ${lost}.`
    findings.add('X2', message)
  }
}
