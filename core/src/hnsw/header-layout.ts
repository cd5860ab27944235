/** Bytes of `header.bin`. */
export const HEADER_SIZE = 100

/** `enterpoint` of an index without elements: hnswlib's -1 as the unsigned number it is stored as. */
export const NO_ENTERPOINT = 0xff_ff_ff_ff

/**
 * `header.bin` of a persistent index, named and ordered as `HEADER_FIELDS` in chroma-core/hnswlib
 * hnswlib/hnswalg.h (there with underscores at the end). Sizes and offsets are in bytes.
 */
export interface HnswHeader {
  curElementCount: number
  /** Not stored: the number of f32 between `offsetData` and `labelOffset`. */
  dimension: number
  efConstruction: number
  /** Internal id of the element where every search begins; NO_ENTERPOINT without elements. */
  enterpoint: number
  labelOffset: number
  M: number
  /** Elements the index has room for; the files may hold fewer rows. */
  maxElements: number
  /** Level of the entry point; -1 without elements. */
  maxLevel: number
  /** Most links of an element on the levels above 0. */
  maxM: number
  /** Most links of an element on level 0. */
  maxM0: number
  /** 1 / ln(M), the scale of the random levels. */
  mult: number
  offsetData: number
  offsetLevel0: number
  persistenceVersion: number
  sizeDataPerElement: number
}

interface FieldType {
  read: (bytes: Buffer, at: number) => number
  size: number
  write: (bytes: Buffer, value: number, at: number) => void
}

const TYPES = {
  f64: {
    read: (bytes, at) => bytes.readDoubleLE(at),
    size: 8,
    write: (bytes, value, at) => bytes.writeDoubleLE(value, at),
  },
  i32: {
    read: (bytes, at) => bytes.readInt32LE(at),
    size: 4,
    write: (bytes, value, at) => bytes.writeInt32LE(value, at),
  },
  u32: {
    read: (bytes, at) => bytes.readUInt32LE(at),
    size: 4,
    write: (bytes, value, at) => bytes.writeUInt32LE(value, at),
  },
  u64: {
    read: (bytes, at) => Number(bytes.readBigUInt64LE(at)),
    size: 8,
    write: (bytes, value, at) => bytes.writeBigUInt64LE(BigInt(value), at),
  },
} satisfies Record<string, FieldType>

type Field = readonly [name: Exclude<keyof HnswHeader, 'dimension'>, type: keyof typeof TYPES]

const FIELDS: readonly Field[] = [
  ['persistenceVersion', 'i32'],
  ['offsetLevel0', 'u64'],
  ['maxElements', 'u64'],
  ['curElementCount', 'u64'],
  ['sizeDataPerElement', 'u64'],
  ['labelOffset', 'u64'],
  ['offsetData', 'u64'],
  ['maxLevel', 'i32'],
  ['enterpoint', 'u32'],
  ['maxM', 'u64'],
  ['maxM0', 'u64'],
  ['M', 'u64'],
  ['mult', 'f64'],
  ['efConstruction', 'u64'],
]

/** The fields that may hold more than a number of JavaScript can. */
export const U64_FIELDS = FIELDS.filter(([, type]) => type === 'u64').map(([name]) => name)

/** Reads the 100 bytes of a header as they are, without a check: see `headerProblems` in header.ts. */
export function decodeHeader(bytes: Buffer): HnswHeader {
  const header = {} as HnswHeader
  let at = 0
  for (const [name, type] of FIELDS) {
    const {read, size} = TYPES[type]
    header[name] = read(bytes, at)
    at += size
  }

  header.dimension = (header.labelOffset - header.offsetData) / 4
  return header
}

/** Writes a header as the 100 bytes of `header.bin`. */
export function encodeHeader(header: HnswHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_SIZE)
  let at = 0
  for (const [name, type] of FIELDS) {
    const {size, write} = TYPES[type]
    write(bytes, header[name], at)
    at += size
  }

  return bytes
}
