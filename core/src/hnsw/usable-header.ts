import {type HeaderOptions, type HnswHeader, inspectHeader} from './header.js'
import {type HnswProblem, problemError} from './problems.js'

/**
 * The header of an index whose vectors are to be read: what is wrong with its links (`link_lists.bin`, an entry point
 * out of range) does not matter, because vectors and labels are found without them, nor does `length.bin` of an index
 * without norms.
 *
 * @throws ChopsError `damaged` for everything else that is wrong with the header or the sizes of the files
 */
export async function readUsableHeader(
  folder: string,
  {cosine = true}: HeaderOptions = {},
): Promise<HnswHeader> {
  const {header, problems} = await inspectHeader(folder, {cosine})
  const isAboutNorms = ({file}: HnswProblem): boolean => file === 'length.bin' && !cosine
  const fatal = problems.find((problem) => !isAboutLinks(problem) && !isAboutNorms(problem))
  if (fatal) throw problemError(folder, fatal)
  if (!header) throw new Error(`${folder} has neither a header nor a problem`)
  return header
}

function isAboutLinks({file, id}: HnswProblem): boolean {
  return file === 'link_lists.bin' || id === 'H11'
}
