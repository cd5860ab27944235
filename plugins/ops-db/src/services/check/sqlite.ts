import {findFtsProblem, FTS_SHADOW_TABLES, FTS_TABLE, withoutFalseAlarm} from '@chops/core/fts'

import type {CheckContext} from './context.js'
import type {CheckedDirectory} from './open.js'

import {byFix, commandLine} from './finding.js'
import {listText} from './list-text.js'

/** More would say nothing new, and a noisy file has millions. */
const MAX_MESSAGES = 100

/**
 * What SQLite keeps of the file in memory, in KiB. It looks up every row in every index, in the order of the rows; with its
 * 2 MB it would read a page of a large index again for nearly each of them.
 */
const CACHE_KIB = 98_304

/** What SQLite, from 3.44 on, says of a virtual table in an integrity check. */
const ABOUT_FTS = /\bFTS5?\b|virtual table/i

/** Damage that only indexes have, which REINDEX makes anew from the rows. */
const ABOUT_INDEX = /^(?:row \d+ missing from index|wrong # of entries in index|non-unique entry in index)/

/** S1, S2 and S7: what SQLite itself says of the file. */
export async function checkSqlite(
  context: CheckContext,
  {isRecovered, walMode}: Pick<CheckedDirectory, 'isRecovered' | 'walMode'>,
): Promise<void> {
  const {databaseFile, db, findings, onStep, path} = context
  if (isRecovered) {
    findings.add(
      'S7',
      `A process was killed while it was writing ${databaseFile}; what it wrote has to be undone first.`,
      byFix(path),
    )
  }

  if (walMode) findings.add('S7', 'The journal mode is wal; Chroma itself uses delete.', {severity: 'I'})

  onStep('sqlite', 0, 1)
  await findings.guard('S1', `The integrity of ${databaseFile}`, async () => {
    await db.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
    const messages = await readComplaints(context)
    const aboutFts = messages.filter((message) => ABOUT_FTS.test(message))
    const aboutFile = messages.filter((message) => !ABOUT_FTS.test(message))
    if (aboutFts.length > 0) {
      findings.add('S2', `The full-text index is damaged: ${listText(aboutFts)}.`, {
        command: commandLine('fts', 'rebuild', path),
      })
    }

    if (aboutFile.length > 0) {
      const text = `SQLite finds ${databaseFile} damaged: ${listText(aboutFile)}.`
      if (aboutFile.every((message) => ABOUT_INDEX.test(message))) findings.add('S1', text, byFix(path))
      else findings.add('S1', `${text} ${RESCUE}`)
    }
  })
  onStep('sqlite', 1, 1)
}

const RESCUE = 'Restore it from a backup, or rescue its rows with the .recover command of the sqlite3 shell.'

/**
 * What SQLite's integrity check says; it looks into the full-text index as well. Where that index keeps it from looking
 * at the rest, each of the other tables is looked at by itself.
 */
async function readComplaints({db, signal}: CheckContext): Promise<string[]> {
  try {
    return await withoutFalseAlarm(db, await complaintsOf(db, `${MAX_MESSAGES}`))
  } catch (error) {
    const problem = await findFtsProblem(db)
    if (problem === undefined) throw error
    const tables = await db.all<{name: string}>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage <> 0 ORDER BY name",
    )
    const complaints = [`FTS5 table ${FTS_TABLE} ${problem}`]
    for (const {name} of tables) {
      signal?.throwIfAborted()
      if (!FTS_SHADOW_TABLES.includes(name.toLowerCase()))
        complaints.push(...(await complaintsOf(db, `"${name.replaceAll('"', '""')}"`)))
    }

    return complaints
  }
}

async function complaintsOf(db: CheckContext['db'], argument: string): Promise<string[]> {
  const rows = await db.all<{integrity_check: string}>(`PRAGMA integrity_check(${argument})`)
  return rows.map((row) => row.integrity_check).filter((message) => message !== 'ok')
}
