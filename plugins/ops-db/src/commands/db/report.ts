import {inspectOutputFile, writeOutputFile} from '@chops/core/change'
import {ChopsCommand, persistDirArg} from '@chops/core/command'
import {formatBytes} from '@chops/core/output'
import * as Flags from '@oclif/core/flags'
import {resolve} from 'node:path'

import {reportPage} from '../../render/report/page.js'
import {checkDatabase} from '../../services/check/check-database.js'
import {openForCheck} from '../../services/check/open.js'
import {redactReport} from '../../services/redact-report.js'
import {describeDirectory} from '../../services/report.js'

export interface DbReport {
  bytes: number
  chromaVersion: string
  /** Absolute path of the page. */
  output: string
  status: 'cancelled' | 'done'
}

const STEPS = {
  measure: 'Measure tables and indexes',
  check: 'Check the directory',
  write: 'Write the page',
} as const

export default class DbReportCommand extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Writes one self-contained HTML page that shows what fills the directory, and for each collection its log against its index, its fragmentation, how many links its elements have and on how many levels, and what "chops db check" finds.

The page has no scripts and loads nothing; its Content-Security-Policy forbids both, whatever a name in the directory says. The directory is not changed.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --output report.html',
      description: 'Write the page:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --output report.html --privacy-mode --yes',
      description: 'Write it without paths and names, to share it:',
    },
  ]

  static override flags = {
    output: Flags.string({
      char: 'o',
      description: 'file to write',
      helpValue: 'FILE',
      required: true,
    }),
    'privacy-mode': Flags.boolean({char: 'p', description: 'show no path and no name'}),
    yes: Flags.boolean({char: 'y', description: 'overwrite an existing file without asking'}),
  }

  static override summary = 'Draw what fills a directory, as one HTML page.'

  override async run(): Promise<DbReport> {
    const {args, flags} = await this.parse(DbReportCommand)
    if (flags['privacy-mode']) this.hideFromMessages(resolve(args.PERSIST_DIR), args.PERSIST_DIR)
    const dir = await this.open(args.PERSIST_DIR)
    const file = await inspectOutputFile(flags.output, dir.path)
    const nothing = {bytes: 0, chromaVersion: this.chromaVersion(dir), output: file.path}
    const question = `Are you sure you want to overwrite ${file.path}?`
    if (file.exists && !(await this.confirm(question, flags.yes ?? false))) {
      this.log('Cancelled: nothing was written.')
      return {...nothing, status: 'cancelled'}
    }

    const page = await this.runSteps(STEPS, async (onStep) => {
      const report = await describeDirectory(dir, {
        onProgress: (done, total) => onStep('measure', done, total),
        signal: this.signal,
      })
      onStep('check', 0, 1)
      const checked = await openForCheck(dir.path)
      try {
        const {findings} = await checkDatabase(checked, {signal: this.signal})
        const shown = flags['privacy-mode'] ? redactReport(report, findings) : {findings, report}
        onStep('write', 0, 1)
        return Buffer.from(reportPage(shown.report, shown.findings, new Date()))
      } finally {
        await checked.close()
      }
    })
    await writeOutputFile(file.path, (write) => write(page))
    this.log(`Wrote ${file.path} (${formatBytes(page.length)}).`)
    return {...nothing, bytes: page.length, status: 'done'}
  }
}
