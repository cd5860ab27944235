/** One sample of a metric; labels may be any text. */
export interface Sample {
  labels?: Record<string, string>
  value: number
}

export interface Metric {
  help: string
  /** All are gauges: a pass counts nothing up from one run to the next. */
  name: string
  samples: Sample[]
}

/** Writes metrics in the Prometheus text format (https://prometheus.io/docs/instrumenting/exposition_formats/). */
export function metricsText(metrics: readonly Metric[]): string {
  return metrics
    .filter(({samples}) => samples.length > 0)
    .map(({help, name, samples}) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} gauge`,
        ...samples.map(({labels, value}) => `${name}${labelText(labels)} ${value}`),
      ].join('\n'),
    )
    .map((block) => `${block}\n`)
    .join('')
}

function labelText(labels: Record<string, string> = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`)
}
