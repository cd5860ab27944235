import type {ChopsError} from '../errors.js'
import {nameOfOpcode, Opcode} from './pickle-opcodes.js'

/** Chroma's largest state has eight fields: sixteen items, and a pair for a dict of one entry. */
const MAX_STACK = 64

/** A text that was checked but not kept: it stands for an id when only labels are wanted. */
export const OPAQUE = Symbol('text that was not kept')

export type PickleText = string | typeof OPAQUE
export type PickleScalar = boolean | null | number | PickleText
export type PickleEntry = (key: number | PickleText, value: PickleScalar) => void

/** Takes the fields of the pickled state as they are read; what it throws ends the reading. */
export interface PickleFields {
  /** A field that holds a dict begins; what this returns takes its entries, in the order of the file. */
  dict(name: string): PickleEntry
  /** A field that holds no dict. */
  scalar(name: string, value: PickleScalar): void
}

/** The one class an object may be of. Its name is compared; it is never looked up. */
export interface PickleClass {
  module: string
  name: string
}

const NOTHING = Symbol('nothing')
const MARK = Symbol('mark')
const CLASS = Symbol('class')
const CLASS_AND_ARGUMENTS = Symbol('class and empty tuple')
const OBJECT = Symbol('object without state')
const BUILT = Symbol('object with its state')
const ROOT = Symbol('dict of fields')

/** A dict that is the value of a field; its entries have gone to `entry`. */
class FieldDict {
  constructor(readonly entry: PickleEntry) {}
}

type Item =
  | FieldDict
  | PickleScalar
  | typeof BUILT
  | typeof CLASS
  | typeof CLASS_AND_ARGUMENTS
  | typeof MARK
  | typeof OBJECT
  | typeof ROOT

/**
 * The stack and the memo of an unpickler that knows one shape: a dict of fields, or one object whose state it is.
 * Where that shape lets an opcode stand only in one place, it is refused in every other. The entries of a field's
 * dict do not wait on the stack for their SETITEMS but are handed on in pairs, so the stack stays small.
 */
export class PickleMachine {
  stopped = false
  private readonly stack: Item[] = []
  /** Index of the first item of the open group of fields; -1 before there is a dict of fields. */
  private groupStart = -1
  /** Takes the entries that follow a mark on a field's dict. */
  private batch: PickleEntry | undefined
  private key: typeof NOTHING | number | PickleText = NOTHING
  private readonly memo: Item[] = []
  private last: Item | typeof NOTHING = NOTHING

  constructor(
    private readonly fields: PickleFields,
    private readonly className: PickleClass,
    private readonly failure: (what: string) => ChopsError,
  ) {}

  get isObject(): boolean {
    return this.stack[0] === BUILT
  }

  /** Whether what is pushed now is an entry of a field's dict. */
  get isInDict(): boolean {
    return this.batch !== undefined
  }

  push(value: PickleScalar): void {
    if (!this.batch) {
      this.stacked(value)
      return
    }

    this.last = value
    if (this.key === NOTHING) {
      if (!isKey(value)) throw this.failure('holds a key that is neither text nor number')
      this.key = value
    } else {
      this.batch(this.key, value)
      this.key = NOTHING
    }
  }

  /**
   * Memoizes what was pushed last, once. BINPUT and LONG_BINPUT name the number; picklers count it up from 0, as MEMOIZE
   * does by itself.
   */
  memoize(number = this.memo.length): void {
    if (this.last === NOTHING || number !== this.memo.length)
      throw this.failure('counts its memo out of order')
    this.memo.push(this.last)
    this.last = NOTHING
  }

  /** Dicts cannot be referred to, so none can hold itself, and nothing can grow by reference. */
  recall(number: number): void {
    const item = this.memo[number]
    if (typeof item !== 'string' && item !== OPAQUE)
      throw this.failure(`refers to memo ${number}, which is no text,`)
    this.push(item)
  }

  /** GLOBAL, after the scanner has compared the name. */
  pushClass(): void {
    this.replace([], CLASS, Opcode.GLOBAL)
  }

  /** The opcodes that have no argument and build something. */
  build(opcode: Opcode): void {
    switch (opcode) {
      case Opcode.SETITEMS: {
        return this.setItems()
      }

      case Opcode.SETITEM: {
        return this.setItem()
      }

      case Opcode.MARK: {
        return this.mark()
      }

      case Opcode.EMPTY_DICT: {
        return this.openDict()
      }

      case Opcode.STACK_GLOBAL: {
        const {module, name} = this.className
        if (this.stack[0] !== module || this.stack[1] !== name) throw this.otherClass(opcode)
        return this.replace([module, name], CLASS, opcode)
      }

      case Opcode.EMPTY_TUPLE: {
        return this.replace([CLASS], CLASS_AND_ARGUMENTS, opcode)
      }

      case Opcode.NEWOBJ: {
        return this.replace([CLASS_AND_ARGUMENTS], OBJECT, opcode)
      }

      case Opcode.BUILD: {
        return this.replace([OBJECT, ROOT], BUILT, opcode)
      }

      case Opcode.STOP: {
        if (this.stack.length !== 1 || (this.stack[0] !== ROOT && this.stack[0] !== BUILT))
          throw this.misplaced(opcode)
        this.stopped = true
        return
      }

      default: {
        throw this.misplaced(opcode)
      }
    }
  }

  otherClass(opcode: Opcode): ChopsError {
    return this.failure(
      `names a class other than ${this.className.name}, with the opcode ${nameOfOpcode(opcode)}`,
    )
  }

  misplaced(opcode: Opcode): ChopsError {
    return this.failure(`holds the opcode ${nameOfOpcode(opcode)} where Chroma does not write it,`)
  }

  private stacked(item: Item): void {
    if (this.stack.length === MAX_STACK) throw this.failure('holds more fields than Chroma writes')
    this.last = item
    this.stack.push(item)
  }

  private replace(expected: Item[], by: Item, opcode: Opcode): void {
    const {stack} = this
    if (
      this.batch ||
      stack.length !== expected.length ||
      expected.some((item, index) => item !== stack[index])
    )
      throw this.misplaced(opcode)
    stack.length = 0
    this.stacked(by)
  }

  private mark(): void {
    const top = this.stack.at(-1)
    if (this.batch || !(top === ROOT || top instanceof FieldDict)) throw this.misplaced(Opcode.MARK)
    if (top === ROOT) {
      this.stacked(MARK)
      this.groupStart = this.stack.length
    } else {
      this.batch = top.entry
    }
  }

  private openDict(): void {
    const {stack} = this
    const top = stack.at(-1)
    if (stack.length === 0 || (stack.length === 1 && top === OBJECT)) {
      this.stacked(ROOT)
      this.groupStart = stack.length
      return
    }

    const isFieldValue = this.groupStart > 0 && (stack.length - this.groupStart) % 2 === 1
    if (this.batch || !isFieldValue || typeof top !== 'string') throw this.misplaced(Opcode.EMPTY_DICT)
    this.stacked(new FieldDict(this.fields.dict(top)))
  }

  private setItems(): void {
    const {stack} = this
    this.last = NOTHING
    if (this.batch && this.key === NOTHING) {
      this.batch = undefined
      return
    }

    const isWhole = stack[this.groupStart - 1] === MARK && (stack.length - this.groupStart) % 2 === 0
    if (this.batch || !isWhole) throw this.misplaced(Opcode.SETITEMS)
    for (let index = this.groupStart; index < stack.length; index += 2)
      this.setField(stack[index], stack[index + 1])
    this.groupStart -= 1
    stack.length = this.groupStart
  }

  private setItem(): void {
    const [target, key, value] = this.stack.slice(-3)
    this.stack.length = Math.max(0, this.stack.length - 2)
    this.last = NOTHING
    if (this.batch) throw this.misplaced(Opcode.SETITEM)
    if (target === ROOT) this.setField(key, value)
    else if (target instanceof FieldDict && isKey(key) && isScalar(value)) target.entry(key, value)
    else throw this.misplaced(Opcode.SETITEM)
  }

  private setField(name: Item | undefined, value: Item | undefined): void {
    if (typeof name !== 'string') throw this.failure('holds a field whose name is no text, set')
    if (value instanceof FieldDict) return
    if (!isScalar(value)) throw this.failure('holds a field of a kind that Chroma does not write, set')
    this.fields.scalar(name, value)
  }
}

function isKey(item: Item | undefined): item is number | PickleText {
  return typeof item === 'number' || typeof item === 'string' || item === OPAQUE
}

function isScalar(item: Item | undefined): item is PickleScalar {
  return isKey(item) || item === null || typeof item === 'boolean'
}
