import type {Collection} from '@chops/core/catalog'
import type {Generation, PersistDir} from '@chops/core/persist-dir'
import type {Database, OpenedDatabase} from '@chops/core/sqlite'

import {ChopsError, deniedError} from '@chops/core/errors'
import {primaryCode} from '@chops/core/sqlite'

import type {CollectionFacts, Facts} from './facts.js'
import type {Finding, FindingDetails} from './finding.js'
import type {FindingId} from './invariants.js'

import {finding} from './finding.js'

/** The parts of a check, in their order. */
export type CheckStep = 'catalog' | 'index' | 'log' | 'metadata' | 'sqlite'

export type OnStep = (step: CheckStep, done: number, total: number) => void

/** What every group of checks gets. */
export interface CheckContext {
  /** Keep all ids that are concerned, not just some. */
  allIds: boolean
  databaseFile: string
  db: OpenedDatabase
  facts: Facts
  findings: Findings
  generation: Generation
  /** Load the graphs and measure what searches can reach. */
  measureReach: boolean
  onStep: OnStep
  path: string
  /** The collections whose indexes and vectors are looked at. */
  selected: readonly CollectionFacts[]
  signal: AbortSignal | undefined
}

/** What is found, in the order it is found. */
export class Findings {
  readonly all: Finding[] = []

  add(id: FindingId, message: string, details?: FindingDetails): void {
    this.all.push(finding(id, message, details))
  }

  /** One finding with a count, when there is something to count. */
  count(id: FindingId, count: number, message: (count: number) => string, details?: FindingDetails): void {
    if (count > 0) this.add(id, message(count), details)
  }

  has(id: FindingId, collection?: Pick<Collection, 'id'>): boolean {
    return this.all.some(
      (one) => one.id === id && (collection === undefined || one.collection?.id === collection.id),
    )
  }

  /**
   * Runs one check. That the damage it looks for keeps it from reading is a finding too, and no reason to leave the
   * other checks out. That it may not read is none of the directory (P3).
   */
  async guard<T>(
    id: FindingId,
    what: string,
    work: () => Promise<T>,
    collection?: Collection,
  ): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      const denied = deniedText(error)
      const message = denied ?? damageText(error)
      if (message === undefined) throw error
      this.add(denied === undefined ? id : 'P3', `${what} could not be checked: ${message}`, {
        collection,
        repairable: 'no',
      })
      return undefined
    }
  }
}

/** What chops may not read, in words; undefined for any other error. */
export function deniedText(error: unknown): string | undefined {
  const cause = error instanceof ChopsError ? error.cause : error
  if (!(cause instanceof Error)) return undefined
  const {path = 'a file'} = cause as NodeJS.ErrnoException
  const denied = deniedError(path, cause)
  return denied && `${denied.message} ${denied.next}`
}

/** What an error says about the directory; undefined for an interruption, a lock and a bug. */
export function damageText(error: unknown): string | undefined {
  if (error instanceof ChopsError) return error.kind === 'damaged' ? error.message : undefined
  const isSystem = error instanceof Error && 'syscall' in error
  // A schema that is not Chroma's makes statements wrong that are right for every Chroma.
  if (error instanceof Error && (isSystem || primaryCode(error) !== undefined)) return `${error.message}.`
  return undefined
}

/** The directory as core's modules take it. */
export function asPersistDir({databaseFile, db, generation, path}: CheckContext): PersistDir {
  return {async close() {}, databaseFile, db, generation, path, warnings: []}
}

/** Whether a table is there. */
export async function hasTable(db: Database, name: string): Promise<boolean> {
  return (await db.get("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [name])) !== undefined
}
