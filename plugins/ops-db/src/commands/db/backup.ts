import {ChopsCommand, persistDirArg} from '@chops/core/command'
import {usage} from '@chops/core/errors'
import * as Flags from '@oclif/core/flags'

import {backupTable, doneText, skippedText, verifiedText} from '../../render/backup.js'
import {type Backup, backUp, planBackup} from '../../services/backup/backup.js'
import {inspectTarget} from '../../services/backup/target.js'
import {type VerifiedBackup, verifyExisting} from '../../services/backup/verify-existing.js'

export default class DbBackup extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Copies the whole directory as it is at one instant: chroma.sqlite3 and the folders of the indexes. The output is a new folder, which Chroma can be started with, or an archive when its name ends in .tar.gz or .tar.zst. A list of all files with their sizes and SHA-256 lies in it as chops-backup.json. The output gets its name only when it is complete and on the disk.

It is safe beside a Chroma that reads. One that writes meanwhile waits for the end; stop it for a large directory. Symbolic links are left out and named.

Without --output, --verify checks a backup that was made before: PERSIST_DIR is then the backup.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --output /backups/chroma-monday',
      description: 'Back up into a folder:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --output /backups/chroma.tar.zst --verify --yes',
      description: 'Replace an archive, after every file was read back and compared:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> /backups/chroma.tar.zst --verify',
      description: 'Check an archive that was made before:',
    },
  ]

  static override flags = {
    'dry-run': Flags.boolean({
      default: false,
      description: 'show what would be backed up, and write nothing',
    }),
    output: Flags.string({
      char: 'o',
      description: 'the folder to make, or a file that ends in .tar.gz or .tar.zst',
      helpValue: 'PATH',
    }),
    verify: Flags.boolean({
      default: false,
      description: 'read every file back and compare it; without --output of an existing backup',
    }),
    yes: Flags.boolean({char: 'y', default: false, description: 'do not ask before a file is overwritten'}),
  }

  static override summary = 'Make a consistent copy of the whole directory, or verify one.'

  override async run(): Promise<Backup | VerifiedBackup> {
    const {args, flags} = await this.parse(DbBackup)
    if (flags.output === undefined) {
      if (!flags.verify) {
        throw usage('--output is missing.', {
          next: 'Name a folder to make, or a file that ends in .tar.gz or .tar.zst.',
        })
      }

      const verified = await this.withProgress('Reading the backup', () =>
        verifyExisting(args.PERSIST_DIR, this.signal),
      )
      this.log(verifiedText(verified))
      return verified
    }

    const dir = await this.open(args.PERSIST_DIR)
    const target = await inspectTarget(flags.output, dir.path)
    const plan = await planBackup(dir, target)
    await this.table(backupTable(plan))
    for (const skipped of plan.skipped) this.warn(skippedText(skipped))
    if (flags['dry-run']) {
      this.log('Dry run: nothing was written.')
      return plan
    }

    const question = `Are you sure you want to overwrite ${target.path}?`
    if (target.exists && !(await this.confirm(question, flags.yes))) {
      this.log('Cancelled: nothing was written.')
      return {...plan, status: 'cancelled'}
    }

    const result = await this.runSteps(
      {copy: 'Copying', verify: 'Reading it back'},
      (onStep) => backUp(dir, target, {onStep, signal: this.signal, verify: flags.verify}),
      {units: {copy: 'bytes'}},
    )
    this.log(doneText(result))
    return result
  }
}
