import {counted, formatBytes, formatCount, type TableData} from '@chops/core/output'

import type {Pass, StepResult} from './pass.js'

import {STEPS} from './steps.js'
import {remainingFindings} from './verdict.js'

const STATUS: Record<StepResult['status'], string> = {
  done: 'done',
  failed: 'FAILED',
  planned: 'to do',
  skipped: 'nothing to do',
  stopped: 'stopped',
}

/** One row for each step, and the findings that are left. */
export function passTables(pass: Pass): TableData[] {
  const remaining = remainingFindings(pass)
  const steps: TableData = {
    columns: ['Step', 'Result', 'Details', 'Seconds'],
    rows: pass.steps.map(({detail, seconds, status, step}) => [
      STEPS[step],
      STATUS[status],
      detail,
      seconds.toFixed(1),
    ]),
    title: pass.dryRun ? 'What a maintenance pass would do' : 'Maintenance pass',
  }
  if (remaining.length === 0) return [steps]
  const findings: TableData = {
    columns: ['Id', 'Severity', 'Collection', 'Finding', 'Repaired by'],
    rows: remaining.map(({collection, command, id, message, severity}) => [
      id,
      severity,
      collection ? `${collection.tenant}/${collection.database}/${collection.name}` : '',
      message,
      command ?? '',
    ]),
    title: 'Findings that remain',
  }
  return [steps, findings]
}

/** The last line. */
export function passText(pass: Pass): string {
  const {check, seconds, sizeAfter, sizeBefore} = pass
  const result = check ? resultText(pass) : 'The directory could not be checked'
  return `${result}; ${formatBytes(sizeBefore)} before, ${formatBytes(sizeAfter)} after, ${seconds.toFixed(1)} s.`
}

function resultText(pass: Pass): string {
  const changed = pass.steps.filter(
    ({status, step}) => step !== 'check' && (status === 'done' || status === 'planned'),
  ).length
  const work =
    changed === 0 ? 'There was nothing to do' : `${counted(changed, 'step', formatCount)} had something to do`
  const remaining = remainingFindings(pass).length
  const left = remaining === 0 ? 'no finding is left' : `${counted(remaining, 'finding', formatCount)} left`
  return `${work}, ${left}`
}
