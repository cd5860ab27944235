import {EXIT_CODE} from '@chops/core/command'

import type {CheckFinding} from './check-report.js'
import type {Pass} from './pass.js'

import {COMMANDS, type Step} from './steps.js'

/** Findings above information that no step of the pass has dealt with. */
export function remainingFindings({check, steps}: Pass): CheckFinding[] {
  const done = new Set<Step>(steps.filter(({status}) => status === 'done').map(({step}) => step))
  const commands = (Object.keys(COMMANDS) as Step[])
    .filter((step) => done.has(step))
    .map((step) => `chops ${COMMANDS[step]} `)
  return (check?.findings ?? []).filter(
    ({command, severity}) => severity !== 'I' && !commands.some((done) => command?.startsWith(done) ?? false),
  )
}

/** 0 when all is well; the code of the step that failed; 1 for findings that remain, or a pass that was cut short. */
export function exitCodeOf(pass: Pass): number {
  if (pass.exitCode !== undefined) return pass.exitCode
  const isCutShort = pass.steps.some(({status}) => status === 'stopped')
  return isCutShort || remainingFindings(pass).length > 0 ? EXIT_CODE.findings : EXIT_CODE.done
}
