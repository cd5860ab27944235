import {type ChildProcess, spawn} from 'node:child_process'
import {writeFileSync} from 'node:fs'
import {createServer} from 'node:net'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {temporaryFolder} from '../../support/fixtures.js'
import {ROOT} from './npm.js'

const PATIENCE_MS = 120_000

/** A registry of its own on the loopback address, for the scope @chops alone: npm takes everything else from where it always does. */
export interface Registry {
  /** What makes npm, and what starts it, use the registry. */
  env: Record<string, string>
  stop: () => void
  url: string
}

/** Starts verdaccio, empty, and waits until it answers. */
export async function startRegistry(): Promise<Registry> {
  const folder = temporaryFolder()
  const config = join(folder, 'config.json')
  const everybody = {access: '$all', publish: '$all', unpublish: '$all'}
  writeFileSync(
    config,
    JSON.stringify({
      auth: {htpasswd: {file: join(folder, 'htpasswd')}},
      log: {format: 'pretty', level: 'error', type: 'stdout'},
      packages: {'@chops/*': everybody, 'chops-*': everybody},
      storage: join(folder, 'storage'),
      uplinks: {},
      web: {enable: false},
    }),
  )
  const address = `127.0.0.1:${await freePort()}`
  const url = `http://${address}/`
  const child = spawn(
    process.execPath,
    [join(ROOT, 'node_modules/verdaccio/bin/verdaccio'), '--config', config, '--listen', address],
    {stdio: 'ignore'},
  )
  process.once('exit', () => child.kill('SIGKILL'))
  await answers(child, url)
  return {
    env: {'npm_config_@chops:registry': url, [`npm_config_//${address}/:_authToken`]: 'anybody'},
    stop: () => child.kill('SIGKILL'),
    url,
  }
}

async function answers(child: ChildProcess, url: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const response = await fetch(`${url}-/ping`).catch(() => {})
    if (response?.ok) return
    if (child.exitCode !== null || Date.now() > deadline) throw new Error('verdaccio does not start')
    await sleep(100)
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise((resolve) => {
    server.close(resolve)
  })
  if (address === null || typeof address === 'string') throw new Error('there is no port')
  return address.port
}
