export {
  CHROMA_TOKENIZER,
  FTS_SHADOW_TABLES,
  FTS_TABLE,
  type FtsDefinition,
  readFtsDefinition,
} from './definition.js'
export {fillFts, mergeFts} from './fill.js'
export {findFtsProblem, withoutFalseAlarm} from './integrity.js'
export {cutTextsToDelete, endsTextsAtNul, hasNul, type IdRange, storeWholeTexts, textUpToNul} from './nul.js'
export {
  countDocuments,
  type DocumentCount,
  type FtsRebuild,
  ftsRebuildBytes,
  type FtsRebuildOptions,
  type FtsStep,
  rebuildFts,
} from './rebuild.js'
export {requireTokenizer} from './tokenizer.js'
