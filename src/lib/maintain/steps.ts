import {type CheckReport, collectionsToRebuild, damagedCollections, fullTextFindings} from './check-report.js'

/** The steps of a pass, in their order, with what a person calls them. */
export const STEPS = {
  check: 'Check the directory',
  clean: 'Remove folders that no collection owns',
  commit: 'Write the pending log into the indexes',
  log: 'Delete what is applied from the log',
  rebuild: 'Rebuild fragmented indexes',
  fts: 'Rebuild a damaged full-text index',
  vacuum: 'Give free pages back',
} as const

export type Step = keyof typeof STEPS

export type ChangingStep = Exclude<Step, 'check'>

/** The command of each step; the group it is in may come from a plugin. */
export const COMMANDS: Record<Step, string> = {
  check: 'db check',
  clean: 'db clean',
  commit: 'wal commit',
  log: 'wal clean',
  rebuild: 'hnsw rebuild',
  fts: 'fts rebuild',
  vacuum: 'db vacuum',
}

export interface StepContext {
  /** Keep the old folders of rebuilt indexes. */
  backup: boolean
  check: CheckReport
  dryRun: boolean
  /** Share of deleted elements, 0 to 1, above which an index is built anew. */
  fragmentation: number
  /** Bytes that building an index may take; undefined for what is free. */
  maxMemory: number | undefined
  persistDirectory: string
  /** Collections whose index another step of this pass has built from all its elements. */
  rebuilt: ReadonlySet<string>
}

/** What a step is going to run, or why there is nothing to run. */
export type StepPlan = {runs: string[][]} | {skip: string}

/** Plans a step from what the check has found and the steps before have done. */
export function planStep(step: ChangingStep, context: StepContext): StepPlan {
  return PLANS[step](context)
}

/** Free pages of this share of the file, or of this many bytes, are worth writing it anew. */
const PAYS = {bytes: 64 * 1024 ** 2, share: 0.1}

export function vacuumPays(freeBytes: number, fileBytes: number): boolean {
  return freeBytes >= PAYS.bytes || freeBytes >= PAYS.share * fileBytes
}

const PLANS: Record<ChangingStep, (context: StepContext) => StepPlan> = {
  clean: (context) => ({runs: [command('clean', context)]}),
  commit: (context) => ({runs: [command('commit', context, ...memory(context), ...skipDamaged(context))]}),
  log: (context) => ({runs: [command('log', context, ...skipDamaged(context))]}),
  rebuild(context) {
    const wanted = collectionsToRebuild(context.check, context.fragmentation).filter(
      ({id}) => !context.rebuilt.has(id),
    )
    if (wanted.length === 0) return {skip: `no index has more than ${percent(context.fragmentation)} deleted`}
    const backup = context.backup ? '--backup' : '--no-backup'
    return {
      runs: wanted.map(({database, name, tenant}) =>
        command(
          'rebuild',
          context,
          `--collection=${name}`,
          `--database=${database}`,
          `--tenant=${tenant}`,
          backup,
          ...memory(context),
        ),
      ),
    }
  },
  fts(context) {
    if (fullTextFindings(context.check).length === 0) return {skip: 'the full-text index is sound'}
    return {runs: [command('fts', context)]}
  },
  vacuum: (context) => ({runs: [command('vacuum', context)]}),
}

function command(step: Step, {dryRun, persistDirectory}: StepContext, ...flags: string[]): string[] {
  return [...COMMANDS[step].split(' '), persistDirectory, ...flags, dryRun ? '--dry-run' : '--yes']
}

function memory({maxMemory}: StepContext): string[] {
  return maxMemory === undefined ? [] : [`--max-memory=${maxMemory}`]
}

/** A damaged index may have lost what is still in the log, and a commit would build on what it has. */
function skipDamaged({check}: StepContext): string[] {
  const names = new Set(damagedCollections(check).map(({name}) => name))
  return [...names].map((name) => `--skip=${name}`)
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}
