import type {HnswParameters} from '@chops/core/catalog'

import {CLIError} from '@oclif/core/errors'
import * as Flags from '@oclif/core/flags'

/** Every engine and every place that one keeps parameters in holds an integer of 32 bits. */
const LARGEST = 2 ** 31 - 1

/** A full index takes its size times this in memory at once. */
const LARGEST_GROWTH = 10

const growth = Flags.custom<number>({
  helpValue: 'NUMBER',
  async parse(input) {
    const value = Number(input)
    if (value > 1 && value <= LARGEST_GROWTH) return value
    throw new CLIError(`Expected a number above 1 and up to ${LARGEST_GROWTH} but received: ${input}`)
  },
})

/** Parameters that an engine takes from its configuration each time it opens an index. */
export const runtimeFlags = {
  'batch-size': Flags.integer({
    description: 'writes that are searched by brute force before they enter the graph',
    max: LARGEST,
    min: 3,
  }),
  'num-threads': Flags.integer({description: 'threads of the index', max: 1024, min: 1}),
  'resize-factor': growth({description: 'growth of a full index'}),
  'search-ef': Flags.integer({
    description: 'candidates a search keeps: more is slower and finds more',
    max: LARGEST,
    min: 1,
  }),
  'sync-threshold': Flags.integer({
    description: 'writes between two times that the index is persisted',
    max: LARGEST,
    min: 3,
  }),
}

/** Parameters that are built into a graph. */
export const constructionFlags = {
  'construction-ef': Flags.integer({
    description: 'candidates an insertion keeps: more is slower and better',
    max: LARGEST,
    min: 1,
  }),
  m: Flags.integer({
    description: 'links per element above level 0, and half of those at level 0',
    max: 4096,
    min: 2,
  }),
  space: Flags.option({description: 'distance', options: ['cosine', 'l2', 'ip'] as const})(),
}

type Values = {
  [K in keyof typeof constructionFlags | keyof typeof runtimeFlags]?: number | string | undefined
}

const NAMES = {
  'batch-size': 'batchSize',
  'construction-ef': 'constructionEf',
  m: 'm',
  'num-threads': 'numThreads',
  'resize-factor': 'resizeFactor',
  'search-ef': 'searchEf',
  space: 'space',
  'sync-threshold': 'syncThreshold',
} as const satisfies Record<keyof Values, keyof HnswParameters>

/** The parameters that were given on the command line. */
export function parametersOf(flags: Values): Partial<HnswParameters> {
  const given = (Object.keys(NAMES) as (keyof Values)[]).filter((name) => flags[name] !== undefined)
  return Object.fromEntries(given.map((name) => [NAMES[name], flags[name]]))
}
