/** A memory of WebAssembly that threads share. It can be posted to a worker. */
export interface Memory {
  readonly buffer: SharedArrayBuffer
  /** Grows it by pages of 64 KiB; `buffer` is another object from then on, and views on the one before remain. */
  grow: (pages: number) => number
}

/** A compiled module of WebAssembly. */
export interface Module {
  readonly [Symbol.toStringTag]: string
}

/** The part of WebAssembly that chops uses. Node has it, but its types do not declare it. */
interface Api {
  Instance: new (compiled: Module, imports: {env: {memory: Memory}}) => {exports: unknown}
  Memory: new (size: {initial: number; maximum: number; shared: true}) => Memory
  Module: new (bytes: Uint8Array) => Module
  validate: (bytes: Uint8Array) => boolean
}

export const {WebAssembly} = globalThis as unknown as {WebAssembly: Api}
