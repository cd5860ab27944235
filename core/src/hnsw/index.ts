export {checkIndexFiles} from './check.js'
export {type GraphReport, measureGraph} from './graph-report.js'
export {loadGraph} from './graph.js'
export {type HnswHeader, inspectHeader, readHeader} from './header.js'
export {IdTable} from './id-table.js'
export {writeIndexMetadata} from './index-metadata-writer.js'
export {
  INDEX_METADATA_FILE,
  type IndexMetadataDigest,
  indexMetadataProblems,
  type IndexMetadataSummary,
  readIndexMetadata,
} from './index-metadata.js'
export {LabelSet} from './label-set.js'
export {type HnswProblem} from './problems.js'
export {
  appliedSeqId,
  fragmentationOf,
  readAppliedSeqIds,
  readSegmentIndex,
  type SegmentIndex,
} from './segment-index.js'
export {requireSoundSegment, type SegmentRules} from './sound-segment.js'
