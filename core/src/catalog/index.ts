export {
  type Catalog,
  type Collection,
  findCollection,
  hnswParametersOf,
  readCatalog,
  type Segment,
  vectorSegmentOf,
} from './catalog.js'
export {type HnswParameters, type Space} from './hnsw-parameters.js'
export {type Metadata, type MetadataValue} from './metadata.js'
export {type Places, readPlaces} from './places.js'
export {type CollectionChoice, fullName, selectCollection} from './select-collection.js'
export {writeHnswParameters} from './write-hnsw-parameters.js'
