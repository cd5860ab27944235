import type {RowDistances} from '../distance/row-distances.js'

import {Surroundings} from './candidates.js'
import {NeighbourChoice} from './heuristic.js'
import type {RepairJob} from './job.js'
import {LinkLists} from './link-lists.js'

/** Of the elements behind deleted ones so many are tried, the nearest first: more where more was lost. */
const mostCandidates = (lost: number) => 32 + 16 * lost

/** Most new links in place of a lost one. */
const LINKS_FOR_LOST = 2

/**
 * First step: gives an element of the new graph its links. Live neighbours stay as they are: choosing among them once
 * more would lose links that lead far. Each deleted one is replaced by the nearest element behind it, for the same
 * reason; more are chosen from behind them, by the heuristic. It reads the old graph alone and writes the lists of this
 * element alone.
 */
export function linkChooser(job: RepairJob, rows: RowDistances): (id: number) => void {
  const {kept, next, oldIds} = job
  const lists = new LinkLists(next)
  const around = new Surroundings(job)
  const choice = new NeighbourChoice(rows)

  const chooseOnLevel = (level: number, id: number) => {
    around.look(level, oldIds[id] as number)
    const links = lists.links(level)
    const start = lists.start(level, id)
    let count = 0
    choice.reset(mostCandidates(around.lost))
    for (const neighbour of around.kept) {
      links[start + count++] = neighbour
      choice.keep(neighbour)
    }

    kept[lists.number(level, id)] = count
    const most = Math.min(lists.capacity(level), count + LINKS_FOR_LOST * around.lost)
    const {behind, behindEachLost, behindKept} = around
    choice.consider(id, behind, 0, behindKept)
    let from = behindKept
    for (const to of behindEachLost) {
      const heir = choice.considerAllButNearest(id, behind, from, to)
      from = to
      if (count === most) continue
      links[start + count++] = heir
      choice.keep(heir)
    }

    choice.consider(id, behind, from)
    while (count < most) {
      const chosen = choice.next()
      if (chosen === undefined) break
      links[start + count++] = chosen
    }

    lists.setCount(level, id, count)
  }

  return (id) => {
    for (let level = next.levels[id] as number; level >= 0; level--) chooseOnLevel(level, id)
  }
}
