import type {Catalog, Collection} from '../catalog/catalog.js'

import {fullName} from '../catalog/select-collection.js'
import {notFound, usage} from '../errors.js'
import {escapeControls} from '../output/escape.js'

/**
 * Lets the user pick a collection from a list.
 *
 * @param within only collections of this database and this tenant are offered
 * @throws ChopsError `usage` off a terminal, `not-found` when there is none to choose from
 */
export async function chooseCollection(
  catalog: Catalog,
  within: {database?: string | undefined; tenant?: string | undefined},
  signal: AbortSignal,
): Promise<Collection> {
  const missing = usage('Which collection is meant: --collection is missing.', {
    next: 'Give its name with --collection.',
  })
  if (!process.stdin.isTTY || !process.stderr.isTTY) throw missing

  const candidates = catalog.collections.filter(
    (collection) =>
      (within.database === undefined || collection.database === within.database) &&
      (within.tenant === undefined || collection.tenant === within.tenant),
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
