import {join} from 'node:path'
import {type ChopsError, damaged} from '../errors.js'

/** The four files that hnswlib keeps in a segment folder. */
export const HNSW_FILES = ['header.bin', 'data_level0.bin', 'length.bin', 'link_lists.bin'] as const

export type HnswFile = (typeof HNSW_FILES)[number]

/**
 * Which rule of the format is broken:
 * H3 the file is there and readable, H4 the header agrees with itself, H5 the header agrees with the file sizes,
 * H9 `link_lists.bin` is one whole record per element and nothing more, H10 every link leads to another element
 * of its level, H11 the entry point exists at the highest level, H12 no label stands twice,
 * H16 vectors and norms are numbers.
 */
export type HnswRule = 'H10' | 'H11' | 'H12' | 'H16' | 'H3' | 'H4' | 'H5' | 'H9'

/** One broken rule of one file; `file` and `what` together read as a sentence. */
export interface HnswProblem {
  file: HnswFile
  id: HnswRule
  what: string
}

const REBUILD = 'Run `chops hnsw rebuild`: it needs only the vectors, which are in data_level0.bin.'
const RESTORE = 'Restore the folder from a backup.'

const NEXT: Record<HnswRule, string> = {
  H10: REBUILD,
  H11: REBUILD,
  H12: RESTORE,
  H16: RESTORE,
  H3: RESTORE,
  H4: RESTORE,
  H5: RESTORE,
  H9: REBUILD,
}

/** The error for a problem in a segment folder, as commands that need a sound index throw it. */
export function problemError(folder: string, problem: HnswProblem): ChopsError {
  const file = join(folder, problem.file)
  return damaged(`${file} ${problem.what}.`, {
    file,
    next: NEXT[problem.id],
  })
}

/** Throws the first problem, if there is one. */
export function assertNoProblem(folder: string, problems: readonly HnswProblem[]): void {
  const [first] = problems
  if (first) throw problemError(folder, first)
}

/**
 * Counts violations of one rule and keeps the first: a noisy file breaks a rule millions of times,
 * and one sentence with a count says it better than a million do.
 */
export class Tally {
  count = 0
  private element = 0
  private value = 0

  /** One more violation, by the element (internal id) and the offending value. */
  hit(element: number, value: number): void {
    if (this.count === 0) {
      this.element = element
      this.value = value
    }

    this.count += 1
  }

  /** No problem or one; `what` gets the count and the first violation. */
  problems(
    id: HnswRule,
    file: HnswFile,
    what: (count: number, element: number, value: number) => string,
  ): HnswProblem[] {
    return this.count === 0 ? [] : [{file, id, what: what(this.count, this.element, this.value)}]
  }
}
