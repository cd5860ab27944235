import {HIGHEST_LEVEL} from './header.js'
import {NO_ENTERPOINT} from './header-layout.js'

/**
 * The level of a new element.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`getRandomLevel`).
 */
export function randomLevel(mult: number): number {
  return Math.min(HIGHEST_LEVEL, Math.floor(-Math.log(1 - Math.random()) * mult))
}

/** The entry point of a graph of the elements that count: the first of them with the highest level among them. */
export function entryAmong(
  levels: Uint8Array,
  counts: (id: number) => boolean,
): {enterpoint: number; maxLevel: number} {
  let enterpoint = NO_ENTERPOINT
  let maxLevel = -1
  for (const [id, level] of levels.entries()) {
    if (level <= maxLevel || !counts(id)) continue
    enterpoint = id
    maxLevel = level
  }

  return {enterpoint, maxLevel}
}
