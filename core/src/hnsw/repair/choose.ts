import type {VectorTable} from '../distance/vector-table.js'

import {Surroundings} from './candidates.js'
import {NeighbourChoice} from './heuristic.js'
import type {RepairJob} from './job.js'
import {LinkLists} from './link-lists.js'

/** Of the elements behind deleted ones so many are tried, the nearest first: more where more was lost. */
const mostCandidates = (lost: number) => 32 + 16 * lost

/** Most new links in place of a lost one; the heuristic seldom lets as many through. */
const LINKS_FOR_LOST = 2

/**
 * First step: gives an element of the new graph its links. Live neighbours stay as they are: choosing among them once
 * more would lose links that lead far. New ones are chosen from behind the deleted ones, by the heuristic. It reads the old graph alone and writes the lists of this element alone.
 */
export function linkChooser(job: RepairJob, {distance}: VectorTable): (id: number) => void {
  const {kept, next, oldIds} = job
  const lists = new LinkLists(next)
  const around = new Surroundings(job)
  const choice = new NeighbourChoice(distance, lists.capacity(0))

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
    for (const candidate of around.behind) choice.candidates.push(candidate, distance(candidate, id))
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
