import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {createServer, type Server} from 'node:http'
import {type AddressInfo, createServer as createSocket} from 'node:net'
import {dirname, join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import type {Engine} from './engines.js'

const PATIENCE_MS = 90_000

/** `chroma run` of an engine on the loopback address, which can be stopped and started again on its port. */
export class RunningServer {
  private child: ChildProcess | undefined

  private constructor(
    private readonly engine: Engine,
    readonly persistDir: string,
    private readonly port: number,
  ) {}

  static async start(engine: Engine, persistDir: string): Promise<RunningServer> {
    const server = new RunningServer(engine, persistDir, await freePort())
    process.once('exit', () => server.child?.kill('SIGKILL'))
    await server.start()
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const command = join(dirname(this.engine.python), 'chroma')
    const place = ['--path', this.persistDir, '--host', '127.0.0.1', '--port', String(this.port)]
    this.child = spawn(command, ['run', ...place], {
      // The older servers write a log file where they are started.
      cwd: dirname(this.persistDir),
      detached: true,
      env: {...process.env, ANONYMIZED_TELEMETRY: 'False'},
      stdio: 'ignore',
    })
    const deadline = Date.now() + PATIENCE_MS
    while (!(await this.answers())) {
      if (Date.now() > deadline) throw new Error(`chroma run of ${this.engine.version} does not answer`)
      await sleep(100)
    }
  }

  /** As a crash does it, with whatever it started. */
  async stop(): Promise<void> {
    const {child} = this
    this.child = undefined
    if (child?.pid === undefined || child.exitCode !== null) return
    const closed = once(child, 'close')
    process.kill(-child.pid, 'SIGKILL')
    await closed
  }

  /** Records of a collection in the default database; 0 while there is none. */
  async count(name: string): Promise<number> {
    const place = `${this.url}/api/v2/tenants/default_tenant/databases/default_database/collections`
    try {
      const {id} = (await (await fetch(`${place}/${name}`)).json()) as {id?: string}
      return id === undefined ? 0 : Number(await (await fetch(`${place}/${id}/count`)).text())
    } catch {
      return 0
    }
  }

  private async answers(): Promise<boolean> {
    return fetch(`${this.url}/api/v2/heartbeat`).then(
      ({ok}) => ok,
      () => false,
    )
  }
}

/** What stands before a server: checks a token, and answers some requests itself. */
export class Gate {
  /** The status to answer a request with instead of passing it on; undefined passes it on. */
  answer: (path: string) => number | undefined = passOn
  private readonly server: Server

  constructor(to: string, token: string) {
    this.server = createServer((request, response) => {
      const path = request.url ?? ''
      const status = request.headers['x-chroma-token'] === token ? this.answer(path) : 401
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        if (status !== undefined) {
          response
            .writeHead(status, {'content-type': 'application/json'})
            .end('{"error":"gate","message":"the gate says no"}')
          return
        }

        const init = {headers: {'content-type': 'application/json'}, method: request.method ?? 'GET'}
        const body = request.method === 'POST' ? {body: Buffer.concat(chunks)} : {}
        fetch(`${to}${path}`, {...init, ...body}).then(
          async (answer) => {
            response.writeHead(answer.status, {
              'content-type': answer.headers.get('content-type') ?? 'application/json',
            })
            response.end(await answer.text())
          },
          () => response.destroy(),
        )
      })
    })
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async open(): Promise<this> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    return this
  }

  close(): void {
    this.server.close()
    this.server.closeAllConnections()
  }
}

/** Passes every request on. */
export function passOn(): undefined {}

async function freePort(): Promise<number> {
  const socket = createSocket().listen(0, '127.0.0.1')
  await once(socket, 'listening')
  const {port} = socket.address() as AddressInfo
  socket.close()
  await once(socket, 'close')
  return port
}
