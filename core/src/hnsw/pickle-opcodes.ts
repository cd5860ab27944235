/**
 * Opcodes under the names of Python's `Lib/pickletools.py`: first the ones that Chroma's picklers write, then those that
 * can run code, which are here only so that a refusal can name them.
 */
export enum Opcode {
  MARK = 0x28,
  EMPTY_TUPLE = 0x29,
  STOP = 0x2e,
  BINFLOAT = 0x47,
  BININT = 0x4a,
  BININT1 = 0x4b,
  BININT2 = 0x4d,
  NONE = 0x4e,
  BINUNICODE = 0x58,
  BUILD = 0x62,
  GLOBAL = 0x63,
  BINGET = 0x68,
  LONG_BINGET = 0x6a,
  BINPUT = 0x71,
  LONG_BINPUT = 0x72,
  SETITEM = 0x73,
  SETITEMS = 0x75,
  EMPTY_DICT = 0x7d,
  PROTO = 0x80,
  NEWOBJ = 0x81,
  NEWTRUE = 0x88,
  NEWFALSE = 0x89,
  LONG1 = 0x8a,
  SHORT_BINUNICODE = 0x8c,
  STACK_GLOBAL = 0x93,
  MEMOIZE = 0x94,
  FRAME = 0x95,

  PERSID = 0x50,
  BINPERSID = 0x51,
  REDUCE = 0x52,
  INST = 0x69,
  OBJ = 0x6f,
  EXT1 = 0x82,
  EXT2 = 0x83,
  EXT4 = 0x84,
  NEWOBJ_EX = 0x92,
}

const ACCEPTED: readonly (readonly [argumentBytes: number, opcodes: readonly Opcode[]])[] = [
  [
    0,
    [Opcode.MARK, Opcode.EMPTY_TUPLE, Opcode.STOP, Opcode.NONE, Opcode.BUILD, Opcode.GLOBAL, Opcode.SETITEM],
  ],
  [
    0,
    [Opcode.SETITEMS, Opcode.EMPTY_DICT, Opcode.NEWOBJ, Opcode.NEWTRUE, Opcode.NEWFALSE, Opcode.STACK_GLOBAL],
  ],
  [0, [Opcode.MEMOIZE]],
  [1, [Opcode.BININT1, Opcode.BINGET, Opcode.BINPUT, Opcode.LONG1, Opcode.SHORT_BINUNICODE]],
  [2, [Opcode.BININT2]],
  [4, [Opcode.BININT, Opcode.BINUNICODE, Opcode.LONG_BINGET, Opcode.LONG_BINPUT]],
  [8, [Opcode.BINFLOAT, Opcode.FRAME]],
]

/**
 * The closed list: by opcode, how many bytes of fixed length follow it, and -1 for every opcode that is refused.
 * PROTO is not in it, because it stands at the beginning only.
 */
export const ARGUMENT_BYTES = new Int8Array(256).fill(-1)
for (const [argumentBytes, opcodes] of ACCEPTED) {
  for (const opcode of opcodes) ARGUMENT_BYTES[opcode] = argumentBytes
}

/** How a message shows an opcode: `REDUCE (0x52)`, or the number alone. */
export function nameOfOpcode(opcode: number): string {
  const code = `0x${opcode.toString(16).padStart(2, '0')}`
  const name = Opcode[opcode]
  return name === undefined ? code : `${name} (${code})`
}
