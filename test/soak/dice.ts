import type {Space} from '../engines/support/judge.js'

import {Random} from '../../bench/data/random.js'

export const SPACES: Space[] = ['cosine', 'ip', 'l2']

/** Small, so that an engine writes its index every few operations. */
export const THRESHOLDS = [
  {batch: 5, sync: 12},
  {batch: 10, sync: 25},
  {batch: 20, sync: 60},
  {batch: 50, sync: 500},
]

/** Seeded decisions. */
export class Dice extends Random {
  chance(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new RangeError('there is nothing to pick from')
    return from[this.below(from.length)] as T
  }

  /** These or nothing. */
  some<T>(these: T[]): T[] {
    return this.chance(0.3) ? these : []
  }
}
