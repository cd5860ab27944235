import {ENGINE_VERSIONS, installEngine} from './engines.js'

/**
 * Mocha calls this once, in its main process and before any test, so that no two of its workers install the same engine;
 * tests only look for what is there.
 */
export async function mochaGlobalSetup(): Promise<void> {
  await Promise.all(
    ENGINE_VERSIONS.map(async (version) => {
      const installation = await installEngine(version)
      if ('reason' in installation) console.warn(`Chroma ${version} is left out: ${installation.reason}`)
    }),
  )
}
