// `npx tsx test/fuzz/seeds.ts`: writes the seeds of the corpus anew from the fixtures.
import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {corpusFolder, loadTarget, TARGET_NAMES} from './targets.js'

for (const name of TARGET_NAMES) {
  const folder = corpusFolder(name)
  mkdirSync(folder, {recursive: true})
  const {seeds} = await loadTarget(name)
  for await (const [seed, bytes] of seeds()) writeFileSync(join(folder, `seed-${seed}`), bytes)
}
