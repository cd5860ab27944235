import {type ChildProcess, fork} from 'node:child_process'
import {once} from 'node:events'
import {fileURLToPath} from 'node:url'
import {type ChopsError, damaged, usage} from '../../errors.js'
import type {EngineName, EngineOptions, EngineReply, EngineRequest, Precision} from './engine-protocol.js'

const ENGINE_PROCESS = fileURLToPath(new URL('engine-process.js', import.meta.url))

/**
 * Rows that one thread adds between two messages: a tenth of a second. All threads wait for the last one, so fewer at a time
 * take longer: 128 a fifth.
 */
const ROWS_PER_THREAD = 512

const MESSAGE_BYTES = 8 * 1024 * 1024

/** Names the one library to use; unset for the best that is installed. */
const ENGINE_VARIABLE = 'CHOPS_HNSW_ENGINE'

const ENGINES: readonly EngineName[] = ['usearch', 'hnswlib-node']

interface AddOptions {
  onProgress?: ((done: number, total: number) => void) | undefined
  /** The same each time. */
  precision?: Precision | undefined
}

interface Waiting {
  reject(error: unknown): void
  resolve(reply: EngineReply): void
}

function engineNames(): readonly EngineName[] {
  const wanted = process.env[ENGINE_VARIABLE]
  if (!wanted) return ENGINES
  const names = ENGINES.filter((name) => name === wanted)
  if (names.length > 0) return names
  throw usage(`The environment variable ${ENGINE_VARIABLE} names no HNSW library: '${wanted}'.`, {
    next: `Set it to ${ENGINES.join(' or ')}, or unset it.`,
  })
}

/**
 * A native library that builds a graph in a process of its own: the event loop stays alive, an abort ends a native
 * call at once, and a crash of the library is an error like any other.
 */
export class Engine {
  readonly name: EngineName
  private readonly child: ChildProcess
  private readonly exited: Promise<unknown>
  private failure: unknown
  private readonly rowsPerMessage: number
  private readonly waiting: Waiting[] = []

  private constructor(
    {dimension, engine, threads}: EngineOptions,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.name = engine
    const rowsOfMessage = Math.max(1, Math.floor(MESSAGE_BYTES / (4 * dimension)))
    this.rowsPerMessage = Math.min(ROWS_PER_THREAD * threads, rowsOfMessage)
    this.child = fork(ENGINE_PROCESS, {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    // A process that cannot even start emits an error instead, which the first request then meets.
    this.exited = once(this.child, 'exit').catch(() => {})
    this.child.on('message', (reply: EngineReply) => this.waiting.shift()?.resolve(reply))
    this.child.on('error', (error) => this.fail(error))
    this.child.on('exit', (code, killedBy) => this.fail(this.reasonOf(code, killedBy)))
    signal?.addEventListener('abort', this.abort, {once: true})
  }

  /**
   * Starts the first of the installed libraries (or the one that CHOPS_HNSW_ENGINE names) that can do what is asked.
   *
   * @throws ChopsError `usage` when none can be loaded
   */
  static async start(
    options: Omit<EngineOptions, 'engine'>,
    {
      engines = engineNames(),
      signal,
    }: {engines?: readonly EngineName[]; signal?: AbortSignal | undefined} = {},
  ): Promise<Engine> {
    const reasons: string[] = []
    for (const name of engines) {
      signal?.throwIfAborted()
      const engine = new Engine({...options, engine: name}, signal)
      try {
        const {unavailable} = await engine.demand({kind: 'open', options: {...options, engine: name}})
        if (unavailable === undefined) return engine
        reasons.push(`${name} (${unavailable.split('\n', 1)[0]})`)
      } catch (error) {
        await engine.stop()
        throw error
      }

      await engine.stop()
    }

    throw usage(`No library for HNSW indexes can be loaded: ${reasons.join(', ')}.`, {
      next: `Install it with: npm install ${engines.join(' ')}`,
    })
  }

  /** Adds a vector for each key. The next message is on its way while the library works on one. */
  async add(
    keys: Uint32Array,
    vectors: Float32Array,
    {onProgress, precision = 'f32'}: AddOptions = {},
  ): Promise<void> {
    const dimension = vectors.length / keys.length
    let before: Promise<unknown> = Promise.resolve()
    for (let first = 0; first < keys.length; first += this.rowsPerMessage) {
      const end = Math.min(keys.length, first + this.rowsPerMessage)
      const adding = this.demand({
        keys: keys.subarray(first, end),
        kind: 'add',
        precision,
        vectors: vectors.subarray(first * dimension, end * dimension),
      })
      // Met at the next turn, when the one before may have failed already.
      adding.catch(() => {})
      await before
      if (first > 0) onProgress?.(first, keys.length)
      before = adding
    }

    await before
    onProgress?.(keys.length, keys.length)
  }

  async save(path: string): Promise<void> {
    const {failed} = await this.request({kind: 'save', path})
    if (failed === undefined) return
    throw damaged(`${path} cannot be written (${failed}).`, {
      file: path,
      next: 'Free some disk space and try again.',
    })
  }

  /** Ends the process, if it has not ended; it gives its memory back, and writes to no file when this returns. */
  async stop(): Promise<void> {
    this.signal?.removeEventListener('abort', this.abort)
    this.child.kill('SIGKILL')
    await this.exited
  }

  private readonly abort = () => {
    this.fail(this.signal?.reason)
    this.child.kill('SIGKILL')
  }

  /** A request whose failure nobody expects. */
  private async demand(request: EngineRequest): Promise<EngineReply> {
    const reply = await this.request(request)
    if (reply.failed !== undefined) throw new Error(`${this.name}: ${reply.failed}`)
    return reply
  }

  /** Ctrl-C reaches all processes of a terminal, and ends this one when it comes before it knows to take no notice. */
  private reasonOf(code: null | number, killedBy: NodeJS.Signals | null): Error {
    if (killedBy === 'SIGINT') return new DOMException('The operation was aborted', 'AbortError')
    return this.ended(killedBy ?? `exit code ${code}`)
  }

  private ended(how: string): ChopsError {
    return damaged(
      `The library ${this.name} stopped (${how}) while it built an index; nothing was changed.`,
      {
        next:
          this.name === 'usearch'
            ? `Free some memory, or set ${ENGINE_VARIABLE}=hnswlib-node to use the other library.`
            : 'Free some memory and run the command again.',
      },
    )
  }

  private fail(error: unknown): void {
    this.failure ??= error
    for (const {reject} of this.waiting.splice(0)) reject(this.failure)
  }

  private async request(request: EngineRequest): Promise<EngineReply> {
    if (this.failure !== undefined) throw this.failure
    return new Promise<EngineReply>((resolve, reject) => {
      this.waiting.push({reject, resolve})
      // A process that is gone reports that itself, with the reason.
      this.child.send(request, () => {})
    })
  }
}
