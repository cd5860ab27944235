import type {Engines} from './run-rounds.js'

import {type Engine, ENGINE_VERSIONS, type EngineVersion, installEngine} from '../engines/support/engines.js'

/** The engines that this machine has or can install, oldest first; says on stderr which it has not, and why. */
export async function installedEngines(): Promise<Engines> {
  const engines = new Map<EngineVersion, Engine>()
  for (const version of ENGINE_VERSIONS) {
    const installation = await installEngine(version)
    if ('engine' in installation) engines.set(version, installation.engine)
    else console.warn(`Chroma ${version} is left out: ${installation.reason}`)
  }

  return engines
}
