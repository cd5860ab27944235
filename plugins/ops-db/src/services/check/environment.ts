import {findHolders} from '@chops/core/change'
import {formatBytes} from '@chops/core/output'
import {access, constants, realpath, stat, statfs} from 'node:fs/promises'

import type {Findings} from './context.js'

/** `f_type` of file systems that are elsewhere (`linux/magic.h`): SQLite's locks cannot be relied upon there. */
const NETWORK: Record<number, string> = {
  0x01_02_19_97: '9p',
  0x51_7b: 'SMB',
  0x69_69: 'NFS',
  0xfe_53_4d_42: 'SMB2',
  0xff_53_4d_42: 'CIFS',
}

/** P1 and P2: who has the directory open, and what the machine lets do with it. */
export async function checkEnvironment(
  path: string,
  databaseFile: string,
  findings: Findings,
): Promise<void> {
  await findings.guard('P1', 'Who has the directory open', async () => {
    const holders = await findHolders(await realpath(path))
    const [first] = holders
    if (!first) return
    const message = `${holders.length === 1 ? '1 other process has' : `${holders.length} other processes have`} files of the directory open (${first.pid}, ${first.program}): stop it before anything is changed, and let never two of them write.`
    findings.add('P1', message)
  })
  await findings.guard('P2', 'The file system', async () => {
    for (const place of [path, databaseFile]) {
      const message = await access(place, constants.W_OK).then(
        () => {},
        (error: NodeJS.ErrnoException) =>
          error.code === 'EROFS' ? 'the file system is mounted read-only' : 'permission denied',
      )
      if (message !== undefined) findings.add('P2', `${place} cannot be written: ${message}.`)
    }

    const {bavail, bsize, type} = await statfs(path)
    const network = process.platform === 'linux' ? NETWORK[type >>> 0] : undefined
    if (network !== undefined) {
      const message = `The directory is on a network file system (${network}), where SQLite's locks may not hold: let only one machine use it.`
      findings.add('P2', message)
    }

    const {size} = await stat(databaseFile)
    const free = bavail * bsize
    if (free < size) {
      const message = `${formatBytes(free)} are free, less than chroma.sqlite3 takes (${formatBytes(size)}): VACUUM and repairs need as much.`
      findings.add('P2', message)
    }
  })
}
