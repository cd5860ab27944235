import {readdirSync} from 'node:fs'

import {escapeControls} from '../output/escape.js'

/** Completes the path of a folder, for `node:readline`: the candidates and the text they replace. */
export function completeFolder(line: string): [candidates: string[], replaced: string] {
  const parent = line.slice(0, line.lastIndexOf('/') + 1)
  try {
    const folders = readdirSync(parent || '.', {withFileTypes: true})
      .filter((entry) => entry.isDirectory() && entry.name === escapeControls(entry.name))
      .map(({name}) => `${parent}${name}/`)
    return [folders.filter((folder) => folder.startsWith(line)), line]
  } catch {
    return [[], line]
  }
}
