import type {Catalog, Collection} from '../catalog/catalog.js'

import {fullName, selectCollection} from '../catalog/select-collection.js'
import {notFound, usage} from '../errors.js'
import {escapeControls} from '../output/escape.js'

export interface CollectionFlags {
  collection?: string | undefined
  database?: string | undefined
  tenant?: string | undefined
}

/**
 * The collection that the flags name; without `--collection` a list to pick from in a terminal.
 *
 * @throws ChopsError `usage` off a terminal without `--collection`, and as `selectCollection`
 */
export async function chooseCollection(
  catalog: Catalog,
  flags: CollectionFlags,
  signal: AbortSignal,
): Promise<Collection> {
  if (flags.collection !== undefined) return selectCollection(catalog, {...flags, name: flags.collection})
  const missing = usage('Which collection is meant: --collection is missing.', {
    next: 'Give its name with --collection.',
  })
  if (!process.stdin.isTTY || !process.stderr.isTTY) throw missing

  const candidates = catalog.collections.filter(
    (collection) =>
      (flags.database === undefined || collection.database === flags.database) &&
      (flags.tenant === undefined || collection.tenant === flags.tenant),
  )
  if (candidates.length === 0) throw notFound('There is no collection to choose from.')
  const {default: select} = await import('@inquirer/select')
  // Ctrl-D ends the input, of which inquirer takes no notice.
  const ended = new AbortController()
  const onEnd = (): void => ended.abort()
  process.stdin.once('pause', onEnd)
  try {
    return await select(
      {
        choices: candidates.map((collection) => ({
          name: escapeControls(fullName(collection)),
          value: collection,
        })),
        message: 'Which collection?',
      },
      {output: process.stderr, signal: AbortSignal.any([signal, ended.signal])},
    )
  } catch (error) {
    throw (error as Error).name === 'AbortPromptError' && !signal.aborted ? missing : error
  } finally {
    process.stdin.off('pause', onEnd)
  }
}
