import type {Finding} from './check/finding.js'
import type {CollectionReport, DirectoryReport} from './report.js'

import {INVARIANTS} from './check/invariants.js'
import {REDACTED} from './redact.js'

/**
 * The same report without paths and names, to be shared: collections are numbered, and a finding says which rule is broken
 * instead of where.
 */
export function redactReport(
  report: DirectoryReport,
  findings: readonly Finding[],
): {findings: Finding[]; report: DirectoryReport} {
  const numbers = new Map(report.collections.map(({id}, index) => [id, `collection ${index + 1}`]))
  const place = (id: string): Pick<CollectionReport, 'database' | 'name' | 'tenant'> => ({
    database: REDACTED,
    name: numbers.get(id) ?? REDACTED,
    tenant: REDACTED,
  })
  return {
    findings: findings.map((finding) => ({
      ...finding,
      collection: finding.collection && {...finding.collection, ...place(finding.collection.id)},
      command: null,
      message: `Not the case: ${INVARIANTS[finding.id].holds}`,
    })),
    report: {
      ...report,
      collections: report.collections.map((collection) => ({
        ...collection,
        ...place(collection.id),
        problem: collection.problem === null ? null : 'The index could not be read.',
      })),
      persistDirectory: REDACTED,
    },
  }
}
