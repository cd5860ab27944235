import {execFileSync} from 'node:child_process'
import {mkdirSync, mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

/** The persist directories that real engines wrote (see test/fixtures/README.md). */
export const FIXTURES = [
  'chroma-0.4.24',
  'chroma-0.5.5',
  'chroma-0.5.23',
  'chroma-0.6.3',
  'chroma-1.0.16',
  'chroma-1.5.9',
  'chroma-0.4.24-then-1.5.9',
  'chroma-0.5.5-then-1.0.16',
  'chroma-0.6.3-then-1.5.9',
] as const

export type FixtureName = (typeof FIXTURES)[number]

export interface ExpectedRecord {
  document: string | null
  embedding_b64: string
  id: string
  metadata: Record<string, unknown> | null
}

/** One collection as the engine that wrote it answers for it. */
export interface ExpectedCollection {
  count: number
  database: string
  id: string
  metadata: Record<string, unknown> | null
  name: string
  queries: {distances: number[]; ids: string[]; vector_b64: string}[]
  records: ExpectedRecord[]
  tenant: string
}

export interface Expected {
  chroma_version: string
  collections: ExpectedCollection[]
  dim: number
}

const archives = fileURLToPath(new URL('../fixtures/', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'chops-test-'))
process.once('exit', () => rmSync(scratch, {force: true, recursive: true}))

/** A new empty folder that is removed when the test process ends. */
export function temporaryFolder(): string {
  return mkdtempSync(join(scratch, 'dir-'))
}

/** Unpacks a fixture into a fresh folder and returns its persist directory and what its engine answered. */
export function unpackFixture(name: FixtureName): {expected: Expected; persistDir: string} {
  const into = temporaryFolder()
  mkdirSync(into, {recursive: true})
  execFileSync('tar', ['xzf', join(archives, `${name}.tar.gz`), '-C', into])
  const folder = join(into, name)
  return {
    expected: JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected,
    persistDir: join(folder, 'persist'),
  }
}
