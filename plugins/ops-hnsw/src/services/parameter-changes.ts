import type {HnswParameters} from '@chops/core/catalog'

/** One parameter that is going to differ. */
export interface ParameterChange {
  new: number | string
  old: number | string
  parameter: keyof HnswParameters
}

/** What differs from today's parameters; values that are equal already are left out. */
export function changesOf(today: HnswParameters, wanted: Partial<HnswParameters>): ParameterChange[] {
  return (Object.keys(wanted) as (keyof HnswParameters)[])
    .filter((parameter) => wanted[parameter] !== undefined && wanted[parameter] !== today[parameter])
    .map((parameter) => ({new: wanted[parameter] ?? '', old: today[parameter], parameter}))
}

/** The changes as parameters again. */
export function changedParameters(changes: ParameterChange[]): Partial<HnswParameters> {
  return Object.fromEntries(changes.map((change) => [change.parameter, change.new]))
}
