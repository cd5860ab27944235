// Runs a command, and then takes the SHA-256 of the file that it has made, or of each below a folder: hash-files.mjs PATH COMMAND
// ARGUMENT... As fast as it goes: the program of coreutils does without the instructions that processors have for it.
import {spawnSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {readdir, stat} from 'node:fs/promises'
import {join} from 'node:path'

const [path, command, ...args] = process.argv.slice(2)
const {status} = spawnSync(command, args, {stdio: 'inherit'})
if (status !== 0) throw new Error(`${command} failed (${status})`)
const files = (await stat(path)).isFile()
  ? [path]
  : (await readdir(path, {recursive: true, withFileTypes: true}))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
for (const file of files) {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, {highWaterMark: 1 << 20})) hash.update(chunk)
  process.stdout.write(`${hash.digest('hex')}  ${file}\n`)
}
