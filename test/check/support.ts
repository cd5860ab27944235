import {cpSync} from 'node:fs'
import {join} from 'node:path'

import {checkDatabase, type DatabaseCheck} from '../../plugins/ops-db/src/services/check/check-database.js'
import type {CheckOptions} from '../../plugins/ops-db/src/services/check/check-once.js'
import {openForCheck} from '../../plugins/ops-db/src/services/check/open.js'
import {type FixtureName, temporaryFolder, unpackFixture} from '../support/fixtures.js'

const unpacked = new Map<FixtureName, string>()
const usual = new Map<FixtureName, Promise<string[]>>()

/** A copy of a fixture's directory; each is unpacked once. */
export function copyOfFixture(name: FixtureName): string {
  const copy = join(temporaryFolder(), 'persist')
  cpSync(sourceOf(name), copy, {preserveTimestamps: true, recursive: true})
  return copy
}

/** Runs the check in this process. */
export async function check(persistDir: string, options?: CheckOptions): Promise<DatabaseCheck> {
  const dir = await openForCheck(persistDir)
  try {
    return await checkDatabase(dir, options)
  } finally {
    await dir.close()
  }
}

/** Ids of what is found above information. */
export function alarmsOf({findings}: DatabaseCheck): string[] {
  return sorted(findings.filter(({severity}) => severity !== 'I').map(({id}) => id))
}

/** Ids of the information. */
export function notesOf({findings}: DatabaseCheck): string[] {
  return sorted(findings.filter(({severity}) => severity === 'I').map(({id}) => id))
}

/** Ids of the information that an untouched fixture gives. */
export async function usualNotesOf(name: FixtureName): Promise<string[]> {
  const notes = usual.get(name) ?? check(sourceOf(name)).then((found) => notesOf(found))
  usual.set(name, notes)
  return notes
}

function sourceOf(name: FixtureName): string {
  const source = unpacked.get(name) ?? unpackFixture(name).persistDir
  unpacked.set(name, source)
  return source
}

function sorted(ids: string[]): string[] {
  return [...new Set(ids)].sort()
}
