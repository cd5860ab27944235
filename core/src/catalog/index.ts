export {type Catalog, type Collection, hnswParametersOf, readCatalog, type Segment} from './catalog.js'
export {type HnswParameters, type Space} from './hnsw-parameters.js'
export {type Metadata, type MetadataValue} from './metadata.js'
export {type CollectionChoice, fullName, selectCollection} from './select-collection.js'
