export {parseExactJson} from './exact-json.js'
export {type ReadOptions, RecordReader} from './record-reader.js'
export {
  type ChromaRecord,
  type RecordMetadata,
  type RecordMetadataScalar,
  type RecordMetadataValue,
} from './record.js'
export {isMetadataValue} from './stored-metadata.js'
