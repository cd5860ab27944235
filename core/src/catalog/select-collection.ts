import type {Catalog, Collection} from './catalog.js'

import {notFound, usage} from '../errors.js'
import {DEFAULT_DATABASE, DEFAULT_TENANT} from './catalog.js'

export interface CollectionChoice {
  database?: string | undefined
  name: string
  tenant?: string | undefined
}

/**
 * Finds the one collection that a user means. Names are unique per database only: without a database and a tenant the
 * one in `default_database` of `default_tenant` comes first, then a name that is unique anywhere.
 *
 * @throws ChopsError `not-found` when no collection fits, `usage` when several do, naming them
 */
export function selectCollection(catalog: Catalog, choice: CollectionChoice): Collection {
  const candidates = catalog.collections.filter(
    (collection) =>
      collection.name === choice.name &&
      (choice.database === undefined || collection.database === choice.database) &&
      (choice.tenant === undefined || collection.tenant === choice.tenant),
  )
  const byDefault = candidates.find(
    (collection) => collection.tenant === DEFAULT_TENANT && collection.database === DEFAULT_DATABASE,
  )
  const found = byDefault ?? candidates[0]
  if (!found) throw notFound(`There is no collection ${placeText(choice)}.`, {next: hint(catalog, choice)})
  if (!byDefault && candidates.length > 1) {
    throw usage(
      `Several collections are named ${quote(choice.name)}: ${candidates.map(fullName).join(', ')}.`,
      {
        next: 'Choose one with --tenant and --database.',
      },
    )
  }

  return found
}

/** The names that no collection has, in any database. */
export function unknownNames({collections}: Catalog, names: readonly string[]): string[] {
  const known = new Set(collections.map(({name}) => name))
  return names.filter((name) => !known.has(name))
}

/** `tenant/database/name`: how a collection is told apart from another of the same name. */
export function fullName(collection: Pick<Collection, 'database' | 'name' | 'tenant'>): string {
  return `${collection.tenant}/${collection.database}/${collection.name}`
}

/** A collection in a sentence, with all that it could be confused with another by. */
export function collectionText({
  collection,
  collectionId,
  database,
  tenant,
}: {
  /** Its name. */
  collection: string
  collectionId: string
  database: string
  tenant: string
}): string {
  return `collection ${collection} (tenant ${tenant}, database ${database}, id ${collectionId})`
}

function placeText(choice: CollectionChoice): string {
  const database = choice.database === undefined ? '' : ` in database ${quote(choice.database)}`
  const tenant = choice.tenant === undefined ? '' : ` of tenant ${quote(choice.tenant)}`
  return `${quote(choice.name)}${database}${tenant}`
}

function hint(catalog: Catalog, choice: CollectionChoice): string {
  const elsewhere = catalog.collections.filter((collection) => collection.name === choice.name)
  if (elsewhere.length > 0) return `It exists as ${elsewhere.map(fullName).join(', ')}.`
  if (catalog.collections.length === 0) return 'The directory has no collections.'
  const some = catalog.collections.slice(0, 20).map(fullName).join(', ')
  return `The directory has ${some}${catalog.collections.length > 20 ? ', ...' : ''}.`
}

function quote(name: string): string {
  return JSON.stringify(name)
}
