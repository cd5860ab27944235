import {allocate, type IndexFile, openIndexFile, type ScanOptions} from './files.js'
import {HIGHEST_LEVEL, isLevel} from './header.js'
import type {HnswHeader} from './header-layout.js'
import {LinkRules} from './link-rules.js'
import type {HnswProblem} from './problems.js'

const FILE = 'link_lists.bin'

const CHUNK_BYTES = 1024 * 1024

/** Gets the lists above level 0 of an element: the one of level l begins at `words[at + (l - 1) * (maxM + 1)]`. */
export type LinkListVisitor = (id: number, level: number, words: Uint32Array, at: number) => void

/** How a walk ended (H9): before the last element's record, which leaves elements out, or with bytes left after it. */
export interface WalkEnd {
  broken?: HnswProblem
  runaway?: HnswProblem
}

function problem(what: string): HnswProblem {
  return {file: FILE, id: 'H9', what}
}

/** A window that moves over a file of 32-bit words, so that a record of known size is in memory as a whole. */
class Window {
  /** Index in `words` of the next word. */
  at = 0
  readonly words: Uint32Array
  private readonly bytes: Uint8Array
  private end = 0
  private position = 0

  constructor(
    private readonly file: IndexFile,
    capacity: number,
  ) {
    this.words = new Uint32Array(capacity)
    this.bytes = new Uint8Array(this.words.buffer)
  }

  /** Byte position in the file of the next word. */
  get offset(): number {
    return this.position - (this.end - this.at) * 4
  }

  /** Whether `count` words are in the window without reading. */
  has(count: number): boolean {
    return this.end - this.at >= count
  }

  /** Moves the window on so that `count` words follow `at`; false when the file ends before. */
  async fill(count: number): Promise<boolean> {
    if (this.file.size - this.offset < count * 4) return false
    this.words.copyWithin(0, this.at, this.end)
    this.end -= this.at
    this.at = 0
    const room = Math.min(this.words.length - this.end, Math.floor((this.file.size - this.position) / 4))
    await this.file.read(this.bytes.subarray(this.end * 4, (this.end + room) * 4), this.position)
    this.position += room * 4
    this.end += room
    return true
  }
}

/**
 * Walks the records of `link_lists.bin`, one for each element: u32 byte length, then as many lists of
 * u16 count, u16 0, maxM x u32 links as the element has levels above 0. It reads no further than the last element's
 * record and sets no memory aside by a length that it has not checked, because hnswlib itself, which does neither,
 * lets this file run away to terabytes. Source: chroma-core/hnswlib hnswlib/hnswalg.h (`loadLinkLists`, `persistDirty`).
 *
 * @throws ChopsError `damaged` when the file is missing or unreadable
 */
export async function walkLinkLists(
  folder: string,
  header: HnswHeader,
  visit: LinkListVisitor,
  {onProgress, signal}: ScanOptions = {},
): Promise<WalkEnd> {
  const {curElementCount, maxLevel, maxM} = header
  const highest = isLevel(maxLevel) ? maxLevel : HIGHEST_LEVEL
  const listBytes = 4 * maxM + 4
  const file = openIndexFile(folder, FILE)
  try {
    const longestRecord = 1 + (highest * listBytes) / 4
    const capacity = Math.min(Math.max(CHUNK_BYTES / 4, longestRecord), Math.floor(file.size / 4))
    const window = new Window(file, capacity)
    const available = async (words: number): Promise<boolean> => {
      if (window.has(words)) return true
      signal?.throwIfAborted()
      onProgress?.(window.offset, file.size)
      return window.fill(words)
    }

    let id = 0
    const broken = (what: string) => ({broken: problem(`${what} (element ${id}, byte ${window.offset})`)})
    for (; id < curElementCount; id++) {
      if (!window.has(1) && !(await available(1))) return broken('ends before the record of its last element')
      const bytes = window.words[window.at] as number
      if (bytes % listBytes !== 0)
        return broken(`has a record of ${bytes} bytes, not a multiple of ${listBytes}`)
      const level = bytes / listBytes
      if (level > highest)
        return broken(`has a record for ${level} levels, above the highest level ${highest}`)
      const words = 1 + bytes / 4
      if (!window.has(words) && !(await available(words))) return broken('ends inside a record')
      if (level > 0) visit(id, level, window.words, window.at + 1)
      window.at += words
    }

    const end = window.offset
    if (file.size === end) return {}
    const what = `has run away: it is ${file.size} bytes long (${file.allocated} on the disk), but its records end at ${end}`
    return {runaway: problem(what)}
  } finally {
    file.close()
  }
}

/**
 * The highest level of each element, by internal id; `broken` instead when the records do not reach the last one.
 * Memory: one byte for each element.
 *
 * @throws ChopsError `damaged` when the file is missing or unreadable
 */
export async function readLevels(
  folder: string,
  header: HnswHeader,
  options: ScanOptions = {},
): Promise<{broken: HnswProblem} | {levels: Uint8Array; runaway?: HnswProblem}> {
  const {curElementCount} = header
  const file = openIndexFile(folder, FILE)
  file.close()
  const least = curElementCount * 4
  if (file.size < least) {
    return {
      broken: problem(`is ${file.size} bytes long, but ${curElementCount} records take at least ${least}`),
    }
  }

  const levels = allocate(folder, () => new Uint8Array(curElementCount))
  const setLevel: LinkListVisitor = (id, level) => {
    levels[id] = level
  }

  const {broken, runaway} = await walkLinkLists(folder, header, setLevel, options)
  if (broken) return {broken}
  return runaway ? {levels, runaway} : {levels}
}

/** The entry point has to be an element of the highest level (H11); what the header alone shows is not repeated. */
export function entryPointProblems(header: HnswHeader, levels: Uint8Array): HnswProblem[] {
  const {curElementCount, enterpoint, maxLevel} = header
  if (enterpoint >= curElementCount || !isLevel(maxLevel) || levels[enterpoint] === maxLevel) return []
  const what = `names element ${enterpoint} of level ${maxLevel} as entry point, but ${FILE} gives it level ${levels[enterpoint]}`
  return [{file: 'header.bin', id: 'H11', what}]
}

/**
 * What is wrong with `link_lists.bin`: its records (H9), the links in them (H10), the level of the entry point (H11).
 * Memory: five bytes for each element.
 *
 * @throws ChopsError `damaged` when the file is missing or unreadable
 */
export async function linkListProblems(
  folder: string,
  header: HnswHeader,
  options: ScanOptions = {},
): Promise<HnswProblem[]> {
  const {maxM} = header
  const read = await readLevels(folder, header, {signal: options.signal})
  if ('broken' in read) return [read.broken]

  const {levels, runaway} = read
  const links = new LinkRules(folder, header, levels)
  const checkLists: LinkListVisitor = (id, highest, words, at) => {
    for (let l = 1, list = at; l <= highest; l++, list += maxM + 1) {
      links.check(id, l, words, list + 1)
    }
  }

  await walkLinkLists(folder, header, checkLists, options)
  return [...(runaway ? [runaway] : []), ...entryPointProblems(header, levels), ...links.problems(FILE)]
}
