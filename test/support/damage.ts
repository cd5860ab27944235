import {readFileSync, rmSync, statSync, truncateSync, writeFileSync} from 'node:fs'

/** What can happen to a file. The noise is seeded, so that a failure can be repeated. */
export const DAMAGE = {
  empty: (file: string) => truncateSync(file, 0),
  missing: (file: string) => rmSync(file),
  noisy: (file: string) => writeFileSync(file, noise(statSync(file).size, 42)),
  truncated: (file: string) => truncateSync(file, Math.floor(statSync(file).size / 10)),
  'cut by one byte': (file: string) => truncateSync(file, statSync(file).size - 1),
} as const

export type Damage = keyof typeof DAMAGE

/** Bytes of a linear congruential generator. */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }

  return bytes
}

/** Overwrites one byte range of a file. */
export function overwrite(file: string, position: number, bytes: Uint8Array): void {
  const content = readFileSync(file)
  content.set(bytes, position)
  writeFileSync(file, content)
}
