/** The entry `@chops/core/index-files`: apart from `index.ts`, so that what looks at an index does not load what goes through it. */
export {checkIndexFiles} from './check.js'
export {type GraphReport, measureGraph} from './graph-report.js'
export {loadGraph} from './graph.js'
export {IdTable} from './id-table.js'
export {writeIndexMetadata} from './index-metadata-writer.js'
export {requireSoundSegment, type SegmentRules} from './sound-segment.js'
