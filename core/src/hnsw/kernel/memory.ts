import {hasKernel} from './kernel.js'
import {type Memory, WebAssembly} from './web-assembly.js'

const PAGE_BYTES = 65_536

/** All that 32 bits address but for the last page: no address that the kernel computes may pass the end. */
const MAX_PAGES = 65_535

/** WebAssembly gets less memory than there would have to be. */
export class KernelMemoryError extends Error {
  override name = 'KernelMemoryError'

  /** @param bytes what there would have to be */
  constructor(readonly bytes: number) {
    super(`WebAssembly gets no ${bytes} bytes of memory`)
  }
}

/** Whether the kernel runs on this machine, and a memory of so many bytes is not too large for it. */
export function fitsMemory(bytes: number): boolean {
  return pagesOf(bytes) <= MAX_PAGES && hasKernel()
}

/**
 * A memory of so many bytes for the kernel, which can grow.
 *
 * @throws KernelMemoryError where the address space is limited (`ulimit -v`): V8 reserves gigabytes of it for any
 * WebAssembly memory
 */
export function kernelMemory(bytes: number): Memory {
  return allocated(
    () => new WebAssembly.Memory({initial: pagesOf(bytes), maximum: MAX_PAGES, shared: true}),
    bytes,
  )
}

type Words = Uint8Array | Uint16Array | Uint32Array

interface WordsType<T extends Words> {
  BYTES_PER_ELEMENT: number
  new (buffer: SharedArrayBuffer, at: number, length: number): T
}

/** Sets arrays aside in the memory of the kernel, one behind the other; it grows with them. */
export class Arena {
  /** @param end address behind what is in the memory already */
  constructor(
    private readonly memory: Memory,
    private end: number,
  ) {}

  /**
   * An array of zeros; its `byteOffset` is its address.
   *
   * @throws KernelMemoryError when there is no memory for it
   */
  allocate<T extends Words>(Type: WordsType<T>, length: number): T {
    const {memory} = this
    const at = 8 * Math.ceil(this.end / 8)
    const end = at + Type.BYTES_PER_ELEMENT * length
    const missing = pagesOf(end - memory.buffer.byteLength)
    if (missing > 0) allocated(() => memory.grow(missing), end)
    this.end = end
    return new Type(memory.buffer, at, length)
  }

  /** An array of the same type with the same values. */
  copy<T extends Words>(values: T): T {
    const copy = this.allocate(values.constructor as unknown as WordsType<T>, values.length)
    copy.set(values)
    return copy
  }
}

function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES)
}

function allocated<T>(allocate: () => T, bytes: number): T {
  try {
    return allocate()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new KernelMemoryError(bytes)
  }
}
