import {tryOpenIndexFile} from './files.js'
import {decodeHeader, HEADER_SIZE, type HnswHeader, NO_ENTERPOINT, U64_FIELDS} from './header-layout.js'
import {assertNoProblem, type HnswFile, type HnswProblem} from './problems.js'

export {encodeHeader, type HnswHeader} from './header-layout.js'

/**
 * Levels fall off geometrically: a node's level is -ln(u) / ln(M) rounded down, where u > 2^-64 because of how
 * the random number is made, so even with M = 2 no node gets past this.
 */
export const HIGHEST_LEVEL = 64

/** Rows have to fit in memory one at a time, and no embedding comes near this. */
const LARGEST_DIMENSION = 2 ** 24

/** Link counts are stored in 16 bits. */
const LARGEST_M0 = 0xff_ff

/** Internal ids are 32-bit, and search reads them as signed. */
const LARGEST_INDEX = 0x7f_ff_ff_ff

/** Whether an element can have this as its highest level. */
export function isLevel(level: number): boolean {
  return level >= 0 && level <= HIGHEST_LEVEL
}

/**
 * What contradicts itself in a header: H4 for the layout, H5 for the counts, H11 for the entry point.
 * hnswlib believes every field, so nothing else may be read by a header that has a problem of H4 or H5.
 */
function headerProblems(header: HnswHeader): HnswProblem[] {
  const problems: HnswProblem[] = []
  const check = (id: HnswProblem['id'], holds: boolean, what: string) => {
    if (!holds) problems.push({file: 'header.bin', id, what})
  }

  const {curElementCount, dimension, enterpoint, labelOffset, M, maxElements, maxLevel, maxM, maxM0, mult} =
    header
  const unsafe = U64_FIELDS.filter((name) => header[name] > Number.MAX_SAFE_INTEGER)
  check('H4', header.persistenceVersion === 1, `has persistence version ${header.persistenceVersion}, not 1`)
  check('H4', unsafe.length === 0, `has impossibly large numbers (${unsafe.join(', ')})`)
  // The numbers below are only worth comparing when they are numbers.
  if (problems.length > 0) return problems

  check(
    'H4',
    header.offsetLevel0 === 0,
    `puts the links of level 0 at byte ${header.offsetLevel0} of a row, not at 0`,
  )
  check('H4', M >= 1 && 2 * M <= LARGEST_M0, `has M = ${M}, which hnswlib cannot use`)
  check('H4', maxM === M, `has maxM = ${maxM}, but M = ${M}`)
  check('H4', maxM0 === 2 * M, `has maxM0 = ${maxM0}, but M = ${M}, which makes it ${2 * M}`)
  const expectedMult = 1 / Math.log(M)
  const sameMult = mult === expectedMult || Math.abs(mult - expectedMult) <= 1e-9 * expectedMult
  check('H4', sameMult, `has mult = ${mult}, but M = ${M}, which makes it ${expectedMult}`)
  const ef = header.efConstruction
  check('H4', ef >= M, `has ef_construction = ${ef}, below M = ${M}`)
  const linkBytes = 4 + 4 * maxM0
  check(
    'H4',
    header.offsetData === linkBytes,
    `puts the vectors at byte ${header.offsetData}, not at ${linkBytes}`,
  )
  const possible = Number.isInteger(dimension) && dimension >= 1 && dimension <= LARGEST_DIMENSION
  check(
    'H4',
    possible,
    `leaves ${labelOffset - header.offsetData} bytes for a vector, which no dimension explains`,
  )
  const size = header.sizeDataPerElement
  check('H4', size === labelOffset + 8, `gives a row ${size} bytes, but its fields take ${labelOffset + 8}`)
  check(
    'H4',
    maxElements <= LARGEST_INDEX,
    `has room for ${maxElements} elements, which hnswlib cannot number`,
  )

  const count = curElementCount
  check('H5', count <= maxElements, `counts ${count} elements, but has room for ${maxElements}`)
  if (count === 0) {
    const none = enterpoint === NO_ENTERPOINT && maxLevel === -1
    check('H11', none, `names element ${enterpoint} of level ${maxLevel} as entry point of an empty index`)
  } else {
    check('H11', enterpoint < count, `names element ${enterpoint} as entry point, but there are ${count}`)
    check('H11', isLevel(maxLevel), `has ${maxLevel} as highest level`)
  }

  return problems
}

export interface HeaderOptions {
  /**
   * The index normalises its vectors, and so has a norm for each in `length.bin`; elsewhere that file only has to be
   * there: hnswlib opens it, takes whatever it finds and never looks at it. True unless given, the stricter rule.
   * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`readPersistedIndexFromStreams`, `getDataByLabel`).
   */
  cosine?: boolean
}

/** Whether the other three files are there and long enough for the elements a sound header counts (H3, H5). */
async function sizeProblems(
  folder: string,
  header: HnswHeader,
  {cosine = true}: HeaderOptions = {},
): Promise<HnswProblem[]> {
  const {curElementCount, sizeDataPerElement} = header
  const needed: readonly (readonly [HnswFile, number])[] = [
    // Not maxElements rows: Chroma raises that number without making the file longer.
    ['data_level0.bin', curElementCount * sizeDataPerElement],
    ['length.bin', cosine ? curElementCount * 4 : 0],
    ['link_lists.bin', 0],
  ]
  const problems: HnswProblem[] = []
  for (const [file, bytes] of needed) {
    const opened = tryOpenIndexFile(folder, file)
    if ('id' in opened) {
      problems.push(opened)
      continue
    }

    opened.close()
    if (opened.size < bytes) {
      const what = `is ${opened.size} bytes long, but its ${curElementCount} elements take ${bytes}`
      problems.push({file, id: 'H5', what})
    }
  }

  return problems
}

async function inspectHeaderFile(folder: string): Promise<{header?: HnswHeader; problems: HnswProblem[]}> {
  const opened = tryOpenIndexFile(folder, 'header.bin')
  if ('id' in opened) return {problems: [opened]}
  try {
    if (opened.size !== HEADER_SIZE) {
      const what = `is ${opened.size} bytes long, not ${HEADER_SIZE}`
      return {problems: [{file: 'header.bin', id: 'H4', what}]}
    }

    const bytes = Buffer.alloc(HEADER_SIZE)
    await opened.read(bytes, 0)
    const header = decodeHeader(bytes)
    const problems = headerProblems(header)
    return problems.every(({id}) => id === 'H11') ? {header, problems} : {problems}
  } finally {
    opened.close()
  }
}

/**
 * Reads `header.bin` and compares the other files' sizes with it.
 * `header` is there when the rows can be read by it, which a wrong entry point or a damaged other file does not prevent.
 */
export async function inspectHeader(
  folder: string,
  options: HeaderOptions = {},
): Promise<{header?: HnswHeader; problems: HnswProblem[]}> {
  const {header, problems} = await inspectHeaderFile(folder)
  if (!header) return {problems}
  return {header, problems: [...problems, ...(await sizeProblems(folder, header, options))]}
}

/**
 * The header of a segment folder, its fields checked against each other and against the sizes of the other files,
 * so that what it announces can be read.
 *
 * @throws ChopsError `damaged` for the first problem
 */
export async function readHeader(folder: string, options: HeaderOptions = {}): Promise<HnswHeader> {
  const {header, problems} = await inspectHeader(folder, options)
  assertNoProblem(folder, problems)
  if (!header) throw new Error(`header.bin of ${folder} has neither a header nor a problem`)
  return header
}
