import {fileURLToPath} from 'node:url'

import type {Command} from './run.js'

const RUN = fileURLToPath(new URL('../bin/run.js', import.meta.url))

/** The built `chops` with these arguments. */
export function chops(...args: string[]): Command {
  return {args: [RUN, ...args], file: process.execPath, isNode: true}
}
