import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import type {Target} from './support.js'

const TARGETS = fileURLToPath(new URL('targets/', import.meta.url))
const DICTIONARIES = fileURLToPath(new URL('dictionaries/', import.meta.url))
const CORPUS = fileURLToPath(new URL('corpus/', import.meta.url))

export const TARGET_NAMES = readdirSync(TARGETS).map((name) => name.replace(/\.ts$/, ''))

export function targetFile(name: string): string {
  return join(TARGETS, `${name}.ts`)
}

/** The committed inputs of a target: seeds from the fixtures, and what was found once. */
export function corpusFolder(name: string): string {
  return join(CORPUS, name)
}

/** Words for the fuzzer to try, where it would hardly come upon them by itself. */
export function dictionaryOf(name: string): string | undefined {
  const file = join(DICTIONARIES, `${name}.dict`)
  return existsSync(file) ? file : undefined
}

export async function loadTarget(name: string): Promise<Target> {
  return (await import(targetFile(name))) as Target
}

export function readCorpus(name: string): [file: string, bytes: Buffer][] {
  const folder = corpusFolder(name)
  return readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))])
}
