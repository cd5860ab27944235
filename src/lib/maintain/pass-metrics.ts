import type {Pass} from './pass.js'

import {fragmentationOf} from './check-report.js'
import {type Metric, metricsText, type Sample} from './metrics.js'
import {exitCodeOf, remainingFindings} from './verdict.js'

/** The pass for Prometheus: what an alert can go by, and how each collection was found. */
export function passMetrics(pass: Pass, time: Date): string {
  const gauge = (name: string, help: string, ...samples: Sample[]): Metric => ({
    help,
    name: `chops_${name}`,
    samples,
  })
  const collections = pass.check?.ledger ?? []
  const perCollection = (
    name: string,
    help: string,
    valueOf: (collection: (typeof collections)[number]) => null | number,
  ): Metric =>
    gauge(
      name,
      help,
      ...collections.flatMap((collection) => {
        const {database, name: label, tenant} = collection
        const value = valueOf(collection)
        return value === null ? [] : [{labels: {collection: label, database, tenant}, value}]
      }),
    )
  const remaining = remainingFindings(pass)
  const exitCode = exitCodeOf(pass)
  return metricsText([
    gauge('maintain_time_seconds', 'When the last pass ended, as a Unix time.', {
      value: Math.floor(time.getTime() / 1000),
    }),
    gauge('maintain_duration_seconds', 'How long the pass took.', {value: pass.seconds}),
    gauge('maintain_exit_code', 'Exit code of the pass: 0 when all is well.', {value: exitCode}),
    gauge('maintain_dry_run', 'Whether the pass only looked.', {value: Number(pass.dryRun)}),
    gauge(
      'maintain_step_duration_seconds',
      'How long each step took.',
      ...pass.steps.map(({seconds, step}) => ({labels: {step}, value: seconds})),
    ),
    gauge(
      'maintain_step_status',
      'How each step ended: the one status with the value 1.',
      ...pass.steps.map(({status, step}) => ({labels: {status, step}, value: 1})),
    ),
    gauge(
      'findings',
      'Findings by severity (C critical, E error, W warning) that the pass did not repair.',
      ...(['C', 'E', 'W'] as const).map((severity) => ({
        labels: {severity},
        value: remaining.filter((finding) => finding.severity === severity).length,
      })),
    ),
    gauge(
      'directory_bytes',
      'What the directory took on the disk before and after the pass.',
      ...sizes(pass),
    ),
    perCollection('collection_records', 'Records, before the pass.', ({records}) => records),
    perCollection(
      'collection_log_only_records',
      'Records whose vector was in the log only.',
      (one) => one.inLogOnly,
    ),
    perCollection('collection_lost_vectors', 'Records whose vector was nowhere.', ({lost}) => lost),
    perCollection(
      'collection_deleted_ratio',
      'Share of deleted elements in the index, 0 to 1.',
      fragmentationOf,
    ),
  ])
}

function sizes({sizeAfter, sizeBefore}: Pass): Sample[] {
  return [
    {labels: {when: 'before'}, value: sizeBefore},
    {labels: {when: 'after'}, value: sizeAfter},
  ]
}
