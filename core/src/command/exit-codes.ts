import type {ErrorKind} from '../errors.js'

/** The closed table of exit codes, the same in text and with `--json`. */
export const EXIT_CODE = {
  bug: 70,
  damaged: 4,
  done: 0,
  findings: 1,
  'in-use': 3,
  interrupted: 130,
  'not-found': 5,
  usage: 2,
} as const satisfies Record<'bug' | 'done' | 'findings' | 'interrupted' | ErrorKind, number>
