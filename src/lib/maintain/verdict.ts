import {EXIT_CODE} from '@chops/core/command'

import type {CheckFinding} from './check-report.js'
import type {Pass} from './pass.js'

import {COMMANDS, type Step} from './steps.js'

/** Findings above information that no step of the pass has dealt with. */
export function remainingFindings(pass: Pass): CheckFinding[] {
  return (pass.check?.findings ?? []).filter(
    (finding) => finding.severity !== 'I' && !isDealtWith(finding, pass),
  )
}

/** Commits and rebuilds leave collections out; what the other steps do is for the whole directory. */
function isDealtWith({collection, command}: CheckFinding, {committed, rebuilt, steps}: Pass): boolean {
  const repairs = (step: Step): boolean => command?.startsWith(`chops ${COMMANDS[step]} `) ?? false
  if (repairs('commit')) return collection !== null && committed.has(collection.id)
  if (repairs('rebuild')) return collection !== null && rebuilt.has(collection.id)
  return steps.some(({status, step}) => step !== 'check' && status === 'done' && repairs(step))
}

/**
 * 0 when all is well; the code of the step that failed; 1 for findings that remain, or a pass that was cut short; 3 when
 * nothing is wrong but that another process has the directory open.
 */
export function exitCodeOf(pass: Pass): number {
  if (pass.exitCode !== undefined) return pass.exitCode
  if (pass.steps.some(({status}) => status === 'stopped')) return EXIT_CODE.findings
  const remaining = remainingFindings(pass)
  if (remaining.length === 0) return EXIT_CODE.done
  return remaining.every(({id}) => id === 'P1') ? EXIT_CODE['in-use'] : EXIT_CODE.findings
}
