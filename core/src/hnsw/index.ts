export {type HnswHeader, inspectHeader, readHeader} from './header.js'
export {
  INDEX_METADATA_FILE,
  type IndexMetadataDigest,
  indexMetadataProblems,
  type IndexMetadataSummary,
  lastLabel,
  readIndexMetadata,
} from './index-metadata.js'
export {LabelSet} from './label-set.js'
export {type HnswProblem} from './problems.js'
export {
  appliedSeqId,
  fragmentationOf,
  readAppliedSeqId,
  readAppliedSeqIds,
  readSegmentIndex,
  type SegmentIndex,
} from './segment-index.js'
export {
  inspectSourceFiles,
  readSettled,
  requireSettled,
  requireUnchanged,
  type SourceFile,
  type SourceFiles,
} from './source-files.js'
