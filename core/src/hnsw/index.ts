export {type GraphReport, measureGraph} from './graph-report.js'
export {loadGraph} from './graph.js'
export {type HnswHeader} from './header.js'
export {
  appliedSeqId,
  fragmentationOf,
  readAppliedSeqIds,
  readSegmentIndex,
  type SegmentIndex,
} from './segment-index.js'
