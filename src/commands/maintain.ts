import {changeFlags, ChopsCommand, memoryFlag, persistDirArg, shareFlag} from '@chops/core/command'
import {inspectOutputFile, writeOutputFile} from '@chops/core/change'
import * as Flags from '@oclif/core/flags'

import type {CheckFinding} from '../lib/maintain/check-report.js'

import {maintain, type Pass} from '../lib/maintain/pass.js'
import {passMetrics} from '../lib/maintain/pass-metrics.js'
import {passTables, passText} from '../lib/maintain/render.js'
import {type ChangingStep, STEPS} from '../lib/maintain/steps.js'
import {exitCodeOf, remainingFindings} from '../lib/maintain/verdict.js'

export type MaintainResult = Omit<Pass, 'check' | 'committed' | 'exitCode' | 'rebuilt'> & {
  chromaVersion: null | string
  remaining: CheckFinding[]
  status: 'cancelled' | 'done' | 'dry-run'
}

const MINUTE = 60_000

/** A timer of Node that is to run for longer than 24 days is over at once. */
const LONGEST_TIME = Math.floor((2 ** 31 - 1) / MINUTE)

const skipFlag = (what: string) => Flags.boolean({default: false, description: `do not ${what}`})

export default class Maintain extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `The pass for cron: checks the directory, removes folders that no collection owns, writes the pending log into the indexes, deletes what is applied from the log, rebuilds fragmented indexes, rebuilds a damaged full-text index, and gives free pages back. Each step is the chops command of that name, and is skipped when the check leaves nothing to do for it. A damaged index is left to a rebuild that cures it; a damaged database stops the pass before anything is changed.

Only one pass works on a directory at a time: a second one says so and exits with 3, as it does while Chroma has the directory open. Exit code 1: findings remain, or the time was over.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --dry-run',
      description: 'Show what a pass would do:',
    },
    {
      command:
        '<%= config.bin %> <%= command.id %> ./chroma --yes --max-time 60 --metrics-file /var/lib/node_exporter/chops.prom',
      description: 'Make the pass from cron, within an hour, with metrics for Prometheus:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --yes --fragmentation 0.3 --skip-vacuum',
      description: 'Rebuild only what is very fragmented, and leave chroma.sqlite3 at its size:',
    },
  ]

  static override flags = {
    backup: Flags.boolean({default: false, description: 'keep the old folder of each rebuilt index'}),
    'dry-run': changeFlags['dry-run'],
    fragmentation: shareFlag({
      default: 0.2,
      description: 'share of deleted elements from which on an index is rebuilt',
    }),
    ...memoryFlag,
    'max-time': Flags.integer({
      description: 'begin no step after so many minutes, and interrupt the one that runs then',
      helpValue: 'MINUTES',
      max: LONGEST_TIME,
      min: 1,
    }),
    'metrics-file': Flags.string({
      description: 'write metrics for the textfile collector of Prometheus here',
      helpValue: 'FILE',
    }),
    'skip-clean': skipFlag('remove folders'),
    'skip-commit': skipFlag('write the log into the indexes'),
    'skip-fts': skipFlag('rebuild the full-text index'),
    'skip-log': skipFlag('delete log rows'),
    'skip-rebuild': skipFlag('rebuild indexes'),
    'skip-vacuum': skipFlag('give free pages back'),
    yes: changeFlags.yes,
  }

  static override summary = 'Do all that a directory needs, in one pass for cron.'

  override async run(): Promise<MaintainResult> {
    const {args, flags} = await this.parse(Maintain)
    const dir = await this.open(args.PERSIST_DIR)
    const metrics = flags['metrics-file']
    const metricsFile = metrics === undefined ? undefined : await inspectOutputFile(metrics, dir.path)
    await dir.close()
    const minutes = flags['max-time']
    const run = (dryRun: boolean): Promise<Pass> =>
      this.runSteps(STEPS, (onStep) =>
        maintain({
          backup: flags.backup,
          dryRun,
          fragmentation: flags.fragmentation,
          hasCommand: (id) => this.config.findCommand(id) !== undefined,
          maxMemory: flags['max-memory'],
          maxTime: minutes === undefined ? undefined : minutes * MINUTE,
          onStep: (step, progress) => onStep(step, progress?.done ?? 0, progress?.total ?? 1, progress),
          persistDirectory: dir.path,
          root: this.config.root,
          signal: this.signal,
          without: new Set(CHANGING.filter((step) => flags[`skip-${step}`])),
        }),
      )
    if (flags['dry-run'] || !flags.yes) {
      const plan = await run(true)
      await this.table(...passTables(plan))
      if (flags['dry-run']) return this.end(plan, 'dry-run', 'Dry run: nothing was changed.')
      const question = `Are you sure you want to maintain ${dir.path}?`
      if (!(await this.confirm(question, false)))
        return this.end(plan, 'cancelled', 'Cancelled: nothing was changed.')
    }

    const pass = await run(false)
    if (metricsFile) {
      await writeOutputFile(metricsFile.path, (write) => write(Buffer.from(passMetrics(pass, new Date()))))
    }

    await this.table(...passTables(pass))
    return this.end(pass, 'done', passText(pass))
  }

  private end(pass: Pass, status: MaintainResult['status'], text: string): MaintainResult {
    this.log(text)
    // An answer of no is no failure, whatever was found.
    if (status !== 'cancelled') process.exitCode = exitCodeOf(pass)
    const {check, dryRun, persistDirectory, seconds, sizeAfter, sizeBefore, steps} = pass
    return {
      chromaVersion: check?.chromaVersion ?? null,
      dryRun,
      persistDirectory,
      remaining: remainingFindings(pass),
      seconds,
      sizeAfter,
      sizeBefore,
      status,
      steps,
    }
  }
}

const CHANGING = ['clean', 'commit', 'log', 'rebuild', 'fts', 'vacuum'] as const satisfies ChangingStep[]
