/**
 * The kernel: compiled by AssemblyScript (scripts/kernel.js) to WebAssembly with SIMD. Rows of vectors lie in the memory
 * that the module imports, as they are or rounded; any dimension will do. It computes distances, and repairs graphs.
 * Lists of rows, of distances and of links are given by the addresses where they begin.
 */

export {exactDistance, exactDistances, firstNearerExact, openExact} from './distance/exact'
export {
  firstNearerRounded,
  openRounded,
  roundedDistance,
  roundedDistances,
  roundRow,
} from './distance/rounded'
export {bytesToChoose, chooseLinks} from './repair/choose'
export {collectIncoming, countIncoming} from './repair/incoming'
export {openRepair} from './repair/job'
export {bytesToLink, linkBack, openIncoming} from './repair/link'
export {bytesToOrder, orderElements} from './repair/order'
