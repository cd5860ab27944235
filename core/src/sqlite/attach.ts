import type {Database} from './database.js'

/**
 * Lets a connection read the tables of another open database as `name.table`, so that rows go from file to file inside of
 * SQLite. The other file is opened once more, in the way its own connection has it open for reading.
 *
 * @param name an SQL identifier
 * @param other opened for reading; to be kept open until the end
 */
export async function attach(db: Database, name: string, other: Database): Promise<void> {
  await db.run(`ATTACH ? AS ${name}`, [other.uri])
}
