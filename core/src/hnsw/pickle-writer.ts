import type {FileHandle} from 'node:fs/promises'
import {Opcode} from './pickle-opcodes.js'

const FIRST_BYTES = 1 << 12
const CHUNK_BYTES = 1 << 20

/** What pickle and serde_pickle put before one SETITEMS, so that an unpickler's stack stays small. */
const BATCH_ENTRIES = 1000

/**
 * Writes opcodes through one buffer. Everything but `dict` and `flush` only fills the buffer, which `dict` empties after
 * an entry when it is full.
 */
export class PickleWriter {
  private buffer = Buffer.allocUnsafe(FIRST_BYTES)
  private used = 0

  constructor(private readonly handle: FileHandle) {}

  opcodes(...bytes: (number | Opcode)[]): void {
    this.reserve(bytes.length)
    for (const byte of bytes) this.buffer[this.used++] = byte
  }

  /** SHORT_BINUNICODE is of protocol 4. */
  shortText(text: string): void {
    const length = Buffer.byteLength(text)
    if (length > 0xff) return this.text(text, length)
    this.opcodes(Opcode.SHORT_BINUNICODE, length)
    this.reserve(length)
    this.used += this.buffer.write(text, this.used)
  }

  text(text: string, length = Buffer.byteLength(text)): void {
    this.reserve(5 + length)
    this.buffer[this.used] = Opcode.BINUNICODE
    this.buffer.writeUInt32LE(length, this.used + 1)
    this.used += 5 + this.buffer.write(text, this.used + 5)
  }

  /** An integer from 0 to 2^53 - 1, or None. */
  integer(value: null | number): void {
    this.reserve(10)
    if (value === null) {
      this.buffer[this.used++] = Opcode.NONE
    } else if (value < 2 ** 31) {
      this.buffer[this.used] = Opcode.BININT
      this.used = this.buffer.writeInt32LE(value, this.used + 1)
    } else {
      this.buffer[this.used] = Opcode.LONG1
      this.buffer[this.used + 1] = 8
      this.used = this.buffer.writeBigInt64LE(BigInt(value), this.used + 2)
    }
  }

  /** What was memoized as the given number, counted from 0. */
  recall(number: number): void {
    if (number <= 0xff) {
      this.opcodes(Opcode.BINGET, number)
      return
    }

    this.reserve(5)
    this.buffer[this.used] = Opcode.LONG_BINGET
    this.used = this.buffer.writeUInt32LE(number, this.used + 1)
  }

  /** A dict; `write` writes the key and the value of an entry. */
  async dict<Entry>(entries: Iterable<Entry>, write: (entry: Entry, index: number) => void): Promise<void> {
    this.opcodes(Opcode.EMPTY_DICT)
    let count = 0
    for (const entry of entries) {
      if (count % BATCH_ENTRIES === 0) this.opcodes(Opcode.MARK)
      write(entry, count++)
      if (count % BATCH_ENTRIES === 0) this.opcodes(Opcode.SETITEMS)
      if (this.used >= CHUNK_BYTES) await this.flush()
    }

    if (count % BATCH_ENTRIES !== 0) this.opcodes(Opcode.SETITEMS)
  }

  async flush(): Promise<void> {
    await this.handle.appendFile(this.buffer.subarray(0, this.used))
    this.used = 0
  }

  private reserve(bytes: number): void {
    if (this.used + bytes <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(2 * (this.used + bytes))
    larger.set(this.buffer.subarray(0, this.used))
    this.buffer = larger
  }
}
