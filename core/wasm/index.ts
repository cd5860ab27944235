/**
 * The distance kernel: compiled by AssemblyScript (scripts/kernel.js) to WebAssembly with SIMD. Rows of vectors lie in the
 * memory that the module imports, as they are or rounded; any dimension will do. Lists of rows and of distances are given
 * by the addresses where they begin.
 */

export {exactDistance, exactDistances, firstNearerExact, openExact} from './exact'
export {firstNearerRounded, openRounded, roundedDistance, roundedDistances, roundRow} from './rounded'
