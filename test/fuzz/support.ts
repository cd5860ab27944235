import {mkdirSync} from 'node:fs'
import {join} from 'node:path'

import type {Database, SqlValue} from '../../core/src/sqlite/database.js'

import {ChopsError as BuiltChopsError} from '@chops/core/errors'
import {ChopsError, type ErrorKind} from '../../core/src/errors.js'
import {temporaryFolder} from '../support/fixtures.js'

/** What every module in `targets/` exports. */
export interface Target {
  /** Gives the parser the bytes; whatever it throws is a find. */
  fuzz(data: Buffer): Promise<void>
  /** Inputs from the fixtures to begin with, by name. */
  seeds(): AsyncIterable<[name: string, bytes: Buffer]> | Iterable<[name: string, bytes: Buffer]>
}

/** What a parser makes of its input: undefined when it refuses it, as damaged unless told. Every other error is a find. */
export async function outcome<T>(
  parse: () => Promise<T> | T,
  refusals: readonly ErrorKind[] = ['damaged'],
): Promise<T | undefined> {
  try {
    return await parse()
  } catch (error) {
    if (isChopsError(error) && refusals.includes(error.kind)) return undefined
    throw error
  }
}

/** Of the sources, which most targets import, or of the built core, which the plugins do. */
function isChopsError(error: unknown): error is BuiltChopsError | ChopsError {
  return error instanceof ChopsError || error instanceof BuiltChopsError
}

/** A folder whose files each run writes anew. */
export function workFolder(): string {
  const folder = join(temporaryFolder(), 'work')
  mkdirSync(folder)
  return folder
}

/** A connection whose every query has the same rows: what a table of any content would answer. */
export function databaseOf(rows: object[]): Database {
  const all = async <T extends object>(): Promise<T[]> => rows as T[]
  return {
    all,
    async close() {},
    driver: 'node:sqlite',
    async exec() {},
    file: 'chroma.sqlite3',
    get: async <T extends object>() => rows[0] as T | undefined,
    run: async () => ({changes: 0}),
    uri: 'file:chroma.sqlite3',
  }
}

const TAGS = ['null', 'integer', 'real', 'text', 'blob'] as const

/**
 * Cells of a table, since SQLite lets every column hold a value of every type: a byte for the type, then an i32, an f64,
 * or a u16 of length with text or bytes.
 */
export class CellReader {
  private at = 0

  constructor(private readonly data: Buffer) {}

  get isAtEnd(): boolean {
    return this.at >= this.data.length
  }

  byte(): number {
    return this.data[this.at++] ?? 0
  }

  next(): SqlValue {
    switch (TAGS[this.byte() % TAGS.length]) {
      case 'integer': {
        return this.take(4).readInt32LE()
      }

      case 'real': {
        return this.take(8).readDoubleLE()
      }

      case 'text': {
        return this.take(this.take(2).readUInt16LE()).toString('utf8')
      }

      case 'blob': {
        return Uint8Array.from(this.take(this.take(2).readUInt16LE()))
      }

      default: {
        return null
      }
    }
  }

  /** Zeros beyond the end. */
  private take(bytes: number): Buffer {
    const taken = Buffer.alloc(bytes)
    taken.set(this.data.subarray(this.at, this.at + bytes))
    this.at += bytes
    return taken
  }
}

/** What `CellReader` reads back as this value. */
export function encodeCell(value: SqlValue): Buffer {
  if (value === null) return Buffer.of(0)
  if (typeof value === 'number' && Number.isInteger(value)) {
    const cell = Buffer.of(1, 0, 0, 0, 0)
    cell.writeInt32LE(value, 1)
    return cell
  }

  if (typeof value === 'number') {
    const cell = Buffer.alloc(9, 2)
    cell.writeDoubleLE(value, 1)
    return cell
  }

  const bytes = Buffer.from(value as Uint8Array)
  const isText = typeof value === 'string'
  return Buffer.concat([Buffer.of(isText ? 3 : 4, bytes.length & 0xff, bytes.length >> 8), bytes])
}
