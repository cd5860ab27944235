import {isUtf8} from 'node:buffer'
import {type ChopsError, damaged, deniedError} from '../errors.js'
import type {ScanOptions} from './files.js'
import {OpenFile} from './open-file.js'
import {
  OPAQUE,
  type PickleClass,
  type PickleFields,
  PickleMachine,
  type PickleText,
} from './pickle-machine.js'
import {ARGUMENT_BYTES, nameOfOpcode, Opcode} from './pickle-opcodes.js'

const CHUNK_BYTES = 1 << 20

/** No request that Chroma takes carries an id as long as this; it bounds the buffer and one decoded text. */
const MAX_TEXT_BYTES = 16 << 20

const NEXT = 'Nothing in it was executed and nothing was changed; put the file back from a backup.'

export interface ReadPickleOptions extends ScanOptions {
  className: PickleClass
  /** False: texts inside the dicts are checked and reported as `OPAQUE`, so that memory does not grow with them. */
  keepTexts: boolean
  /** Texts that are kept all the same: the names of the fields. */
  names: readonly string[]
}

export interface PickleEnd {
  /** Whether it is an object of the class rather than a plain dict. */
  isObject: boolean
  /** How many bytes follow the end. Python ignores them and serde_pickle refuses the file: it is for the caller to judge. */
  trailingBytes: number
}

/**
 * Reads a pickle of one shape: a dict of fields, or an object of one class whose state is such a dict. A field holds
 * None, a bool, an int, a float, a str, or a flat dict of those. Nothing is imported, called or instantiated: the object
 * is only a mark that its class was named. Everything else that a pickle can hold is refused.
 *
 * Accepted is what Python's picklers (in C and in Python) write for that shape in protocols 2 to 5 and what Rust's
 * serde_pickle writes in protocol 3. Stricter than an unpickler where no pickler is: memo numbers count up from 0, a memo
 * reference is a text, frames do not overlap, a text has at most 16 MiB, PROTO comes once. Text is UTF-8: Python could
 * also write lone surrogates, but neither SQLite nor Rust takes an id with one.
 *
 * The format: `Lib/pickletools.py` and `Modules/_pickle.c` of python/cpython, `src/ser.rs` of birkenfeld/serde-pickle.
 *
 * @throws ChopsError `damaged` that names the opcode and its offset, or says why the file cannot be read
 */
export async function readPickle(
  file: string,
  fields: PickleFields,
  options: ReadPickleOptions,
): Promise<PickleEnd> {
  let opened: OpenFile | undefined
  try {
    opened = OpenFile.open(file)
    const {stats} = opened
    if (!stats.isFile()) throw damaged(`${file} is not a regular file.`, {file})
    if (stats.size === 0) throw damaged(`${file} is empty.`, {file, next: NEXT})
    return await new PickleScanner(file, stats.size, fields, options).scan(opened)
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error
    const denied = deniedError(file, error)
    throw (
      denied ??
      damaged(`${file} cannot be read (${error.message}).`, {
        cause: error,
        file,
        next: 'Check that the file exists and that you may read it.',
      })
    )
  } finally {
    opened?.close()
  }
}

/** Cuts the bytes of a pickle into opcodes and their arguments, with one buffer. */
class PickleScanner {
  private buffer: Buffer
  /** Offset in the file of the buffer's first byte. */
  private base = 0
  private position = 0
  private end = 0
  /** How many bytes from `position` on the next opcode needs. */
  private wanted = 2
  private frameEnd = 0
  private readonly classLines: Buffer
  private readonly names: Buffer[]
  private readonly machine: PickleMachine

  constructor(
    private readonly file: string,
    private readonly size: number,
    fields: PickleFields,
    private readonly options: ReadPickleOptions,
  ) {
    const {className, names} = options
    this.buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size))
    this.classLines = Buffer.from(`${className.module}\n${className.name}\n`)
    this.names = names.map((name) => Buffer.from(name))
    this.machine = new PickleMachine(fields, className, (what) => this.failure(what))
  }

  async scan(opened: OpenFile): Promise<PickleEnd> {
    while (!this.machine.stopped) {
      this.options.signal?.throwIfAborted()
      await this.fill(opened)
      this.takeComplete()
      this.options.onProgress?.(this.offset, this.size)
    }

    return {isObject: this.machine.isObject, trailingBytes: this.size - this.offset}
  }

  private get offset(): number {
    return this.base + this.position
  }

  private async fill(opened: OpenFile): Promise<void> {
    if (this.offset + this.wanted > this.size) throw this.truncated()
    const rest = this.buffer.subarray(this.position, this.end)
    if (this.wanted > this.buffer.length) this.buffer = Buffer.allocUnsafe(this.wanted)
    this.buffer.set(rest)
    this.base += this.position
    this.end = rest.length
    this.position = 0
    while (this.end < this.wanted) {
      const room = Math.min(this.buffer.length, this.size - this.base) - this.end
      const into = this.buffer.subarray(this.end, this.end + room)
      const bytesRead = await opened.read(into, this.base + this.end)
      if (bytesRead === 0) throw this.truncated()
      this.end += bytesRead
    }
  }

  private takeComplete(): void {
    if (this.offset === 0) this.takeProtocol()
    this.wanted = 1
    while (!this.machine.stopped && this.position < this.end) {
      const opcode = this.buffer[this.position] ?? 0
      const fixed = 1 + (ARGUMENT_BYTES[opcode] ?? -1)
      if (fixed === 0)
        throw this.failure(`holds the opcode ${nameOfOpcode(opcode)}, which Chroma does not write,`)
      if (this.lacks(fixed)) return
      const length = fixed + this.variableBytes(opcode)
      if (this.lacks(length)) return
      this.take(opcode, this.position + fixed, this.position + length)
      this.position += length
      this.wanted = 1
    }
  }

  private lacks(bytes: number): boolean {
    this.wanted = bytes
    return this.position + bytes > this.end
  }

  private takeProtocol(): void {
    const [proto, version = 0] = this.buffer
    if (proto !== Opcode.PROTO) throw this.failure('does not begin with the opcode PROTO (0x80)')
    if (version < 2 || version > 5)
      throw this.failure(`is of pickle protocol ${version}, not 2 to 5, as it says`)
    this.position = 2
  }

  private variableBytes(opcode: Opcode): number {
    switch (opcode) {
      case Opcode.LONG1:
      case Opcode.SHORT_BINUNICODE: {
        return this.buffer[this.position + 1] ?? 0
      }

      case Opcode.BINUNICODE: {
        const length = this.buffer.readUInt32LE(this.position + 1)
        if (this.offset + 5 + length > this.size) throw this.truncated()
        if (length > MAX_TEXT_BYTES) throw this.failure(`holds a text of ${length} bytes`)
        return length
      }

      case Opcode.GLOBAL: {
        return Math.min(this.classLines.length, this.size - this.offset - 1)
      }

      default: {
        return 0
      }
    }
  }

  /** Carries out one opcode; its argument of variable length is at `start`, one of fixed length just before. */
  private take(opcode: Opcode, start: number, end: number): void {
    const {buffer, machine} = this
    switch (opcode) {
      case Opcode.BINUNICODE:
      case Opcode.SHORT_BINUNICODE: {
        return machine.push(this.text(start, end))
      }

      case Opcode.MEMOIZE: {
        return machine.memoize()
      }

      case Opcode.BINPUT: {
        return machine.memoize(buffer[start - 1])
      }

      case Opcode.LONG_BINPUT: {
        return machine.memoize(buffer.readUInt32LE(start - 4))
      }

      case Opcode.BINGET: {
        return machine.recall(buffer[start - 1] ?? 0)
      }

      case Opcode.LONG_BINGET: {
        return machine.recall(buffer.readUInt32LE(start - 4))
      }

      case Opcode.BININT: {
        return machine.push(buffer.readInt32LE(start - 4))
      }

      case Opcode.BININT1: {
        return machine.push(buffer[start - 1] ?? 0)
      }

      case Opcode.BININT2: {
        return machine.push(buffer.readUInt16LE(start - 2))
      }

      case Opcode.LONG1: {
        return machine.push(this.long(start, end))
      }

      case Opcode.BINFLOAT: {
        return machine.push(buffer.readDoubleBE(start - 8))
      }

      case Opcode.NONE: {
        return machine.push(null)
      }

      case Opcode.NEWTRUE: {
        return machine.push(true)
      }

      case Opcode.NEWFALSE: {
        return machine.push(false)
      }

      case Opcode.FRAME: {
        return this.openFrame(Number(buffer.readBigUInt64LE(start - 8)), this.base + start)
      }

      case Opcode.GLOBAL: {
        if (buffer.compare(this.classLines, 0, end - start, start, end) !== 0)
          throw machine.otherClass(opcode)
        if (end - start < this.classLines.length) throw this.truncated()
        return machine.pushClass()
      }

      default: {
        return machine.build(opcode)
      }
    }
  }

  private openFrame(length: number, start: number): void {
    if (start < this.frameEnd) throw this.machine.misplaced(Opcode.FRAME)
    if (start + length > this.size) throw this.truncated()
    this.frameEnd = start + length
  }

  private text(start: number, end: number): PickleText {
    let bits = 0
    for (let at = start; at < end; at++) bits |= this.buffer[at] ?? 0
    const isAscii = bits < 0x80
    if (!isAscii && !isUtf8(this.buffer.subarray(start, end)))
      throw this.failure('holds a text that is not UTF-8')
    if (!this.options.keepTexts && this.machine.isInDict && !this.isName(start, end)) return OPAQUE
    return this.buffer.toString(isAscii ? 'latin1' : 'utf8', start, end)
  }

  // A Python program that calls a record "label_to_id" can make the name of that field a reference to the id.
  private isName(start: number, end: number): boolean {
    for (const name of this.names) {
      if (name.length === end - start && this.buffer.compare(name, 0, name.length, start, end) === 0)
        return true
    }

    return false
  }

  /** Little-endian two's complement. Beyond 2^53 the result is inexact, and still not a safe integer. */
  private long(start: number, end: number): number {
    let value = 0
    for (let at = end - 1; at >= start; at--) value = value * 256 + (this.buffer[at] ?? 0)
    const isNegative = end > start && (this.buffer[end - 1] ?? 0) > 0x7f
    return isNegative ? value - 256 ** (end - start) : value
  }

  private failure(what: string): ChopsError {
    return damaged(`${this.file} ${what} at byte ${this.offset}.`, {file: this.file, next: NEXT})
  }

  private truncated(): ChopsError {
    const what = `what begins at byte ${this.offset} goes beyond its ${this.size} bytes`
    return damaged(`${this.file} is truncated: ${what}.`, {file: this.file, next: NEXT})
  }
}
