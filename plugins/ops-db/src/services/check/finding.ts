import {type Collection, DEFAULT_DATABASE, DEFAULT_TENANT} from '@chops/core/catalog'

import {type FindingId, INVARIANTS, type Repairable, type Severity} from './invariants.js'

export interface FindingCollection {
  database: string
  id: string
  name: string
  tenant: string
}

/** One broken invariant in one place. */
export interface Finding {
  collection: FindingCollection | null
  /** The command line that repairs it; null where none does. */
  command: null | string
  id: FindingId
  /** What is wrong, in one sentence with the figures. */
  message: string
  repairable: Repairable
  severity: Severity
}

export interface FindingDetails {
  collection?: Collection | undefined
  command?: null | string
  repairable?: Repairable
  severity?: Severity
}

/** A finding with the severity of its invariant and no repair, unless the details say otherwise. */
export function finding(id: FindingId, message: string, details: FindingDetails = {}): Finding {
  const {collection, command, repairable = command ? 'yes' : 'no', severity} = details
  return {
    collection: collection
      ? {
          database: collection.database,
          id: collection.id,
          name: collection.name,
          tenant: collection.tenant,
        }
      : null,
    command: command ?? null,
    id,
    message,
    repairable,
    severity: severity ?? INVARIANTS[id].severity,
  }
}

/** A `chops` command line as a shell takes it. */
export function commandLine(...words: string[]): string {
  return ['chops', ...words].map((word) => shellWord(word)).join(' ')
}

/** The flags that choose a collection among all tenants and databases; without a place the default one is meant. */
export function collectionFlags({database, name, tenant}: FindingCollection): string[] {
  const place =
    tenant === DEFAULT_TENANT && database === DEFAULT_DATABASE
      ? []
      : ['--tenant', tenant, '--database', database]
  return ['--collection', name, ...place]
}

/** What `db check --fix` repairs. */
export function byFix(path: string, repairable: Repairable = 'yes'): FindingDetails {
  return {command: commandLine('db', 'check', path, '--fix'), repairable}
}

function shellWord(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
