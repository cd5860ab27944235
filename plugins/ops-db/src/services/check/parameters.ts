import {type HnswParameters, hnswParametersOf} from '@chops/core/catalog'

import type {CollectionFacts} from './facts.js'

import {asPersistDir, type CheckContext} from './context.js'

/** The parameters that the engine uses; undefined where the configuration cannot be read, of which Y5 tells. */
export function parametersOf(context: CheckContext, collection: CollectionFacts): HnswParameters | undefined {
  try {
    return hnswParametersOf(asPersistDir(context), collection)
  } catch {
    return undefined
  }
}
