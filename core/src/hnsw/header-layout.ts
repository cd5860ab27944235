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

type Field = readonly [name: Exclude<keyof HnswHeader, 'dimension'>, type: 'f64' | 'i32' | 'u32' | 'u64']

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
    if (type === 'i32') header[name] = bytes.readInt32LE(at)
    else if (type === 'u32') header[name] = bytes.readUInt32LE(at)
    else if (type === 'f64') header[name] = bytes.readDoubleLE(at)
    else header[name] = Number(bytes.readBigUInt64LE(at))
    at += type === 'i32' || type === 'u32' ? 4 : 8
  }

  header.dimension = (header.labelOffset - header.offsetData) / 4
  return header
}

/** Writes a header as the 100 bytes of `header.bin`. */
export function encodeHeader(header: HnswHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_SIZE)
  let at = 0
  for (const [name, type] of FIELDS) {
    if (type === 'i32') at = bytes.writeInt32LE(header[name], at)
    else if (type === 'u32') at = bytes.writeUInt32LE(header[name], at)
    else if (type === 'f64') at = bytes.writeDoubleLE(header[name], at)
    else at = bytes.writeBigUInt64LE(BigInt(header[name]), at)
  }

  return bytes
}
