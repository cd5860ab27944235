import {requireRoomForVacuum} from '@chops/core/change'
import {changeFlags, ChopsCommand, persistDirArg} from '@chops/core/command'

import {doneLines, questionText, vacuumTable} from '../../render/vacuum.js'
import {planVacuum, type Vacuum, vacuumDatabase} from '../../services/vacuum.js'

export default class DbVacuum extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Writes chroma.sqlite3 anew without its free pages, which deleted records and log rows leave behind, and gives the space back to the file system. The one file holds all tenants and databases. As Chroma's own vacuum does, it leaves a row in the table maintenance_log.

It frees what is deleted already: "chops wal clean" deletes what is left of the log, "chops db clean" folders that no collection owns.

Stop Chroma first. VACUUM needs free disk space for a second copy of chroma.sqlite3, in its folder and in the folder for temporary files (SQLITE_TMPDIR).`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --dry-run',
      description: 'Show what it would give back:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --yes',
      description: 'Run it without being asked:',
    },
  ]

  static override flags = {...changeFlags}

  static override summary = 'VACUUM chroma.sqlite3.'

  override async run(): Promise<Vacuum> {
    const {args, flags} = await this.parse(DbVacuum)
    const dir = await this.open(args.PERSIST_DIR)
    const plan = await planVacuum(dir)
    await this.table(vacuumTable(plan))
    if (!flags['dry-run']) await requireRoomForVacuum(dir)
    const decision = await this.approve(dir, flags, questionText(plan))
    if (decision !== 'approved') return {...plan, status: decision}
    const result = await this.runSteps({vacuum: 'VACUUM chroma.sqlite3'}, (onStep) => {
      onStep('vacuum', 0, 1)
      return vacuumDatabase(plan, {force: flags.force, signal: this.signal})
    })
    this.log(...doneLines(result))
    return result
  }
}
