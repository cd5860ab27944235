import {expect} from 'chai'

import {whileOpenElsewhere} from './background.js'
import {chops} from './cli.js'
import {hasProcessFiles} from './segments.js'

/**
 * A command that changes something asks first: without an answer it is an error that names --yes, and while another process
 * has the directory open it is refused with the process.
 *
 * @param args the command without `--yes`
 */
export async function expectRefusals(persistDir: string, args: string[]): Promise<void> {
  const end = await chops(args)
  expect(end.code).to.equal(2)
  expect(end.stderr).to.include('--yes')
  if (!hasProcessFiles()) return
  await whileOpenElsewhere(persistDir, async (pid) => {
    const used = await chops([...args, '-y'])
    expect(used.code).to.equal(3)
    expect(used.stderr).to.include(`process ${pid}`)
  })
}
