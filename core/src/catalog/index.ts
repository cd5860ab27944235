export {
  type Catalog,
  type Collection,
  DEFAULT_DATABASE,
  DEFAULT_TENANT,
  findCollection,
  hnswParametersOf,
  readCatalog,
  type Segment,
  SEGMENT_TYPES,
  type SegmentScope,
  vectorSegmentOf,
} from './catalog.js'
export {
  type HnswParameters,
  type ParameterSources,
  readHnswParameters,
  rustDefaults,
  type Space,
} from './hnsw-parameters.js'
export {hasColumn, type Metadata, type MetadataValue, readMetadata} from './metadata.js'
export {type Places, readPlaces} from './places.js'
export {
  type CollectionChoice,
  collectionText,
  fullName,
  selectCollection,
  unknownNames,
} from './select-collection.js'
export {decodeSeqId, encodeSeqId, keepsVectorSeqIdInTable, seqIdText} from './seq-id.js'
export {readTopicPrefix} from './topic.js'
