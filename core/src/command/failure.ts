import {CLIError} from '@oclif/core/errors'

import {ChopsError, damaged} from '../errors.js'
import {EXIT_CODE} from './exit-codes.js'

/** An error as a command reports it: in text and, with the same fields, in JSON. */
export interface Failure {
  code: keyof typeof EXIT_CODE
  exitCode: number
  file?: string
  message: string
  next?: string
  /** Only of a bug, for the report. */
  stack?: string
}

/** Errors of the operating system that say something about the directory or the machine, with what to do next. */
const SYSTEM_ERRORS: Record<string, [reason: string, next: string]> = {
  EACCES: ['permission denied', 'Run chops as the user that runs Chroma, or change the permissions.'],
  EBUSY: [
    'the system or another program is using it',
    'Find out what does (mount, lsof), and run the command again.',
  ],
  EDQUOT: ['the disk quota is used up', 'Free some disk space and run the command again.'],
  EFBIG: [
    'it is larger than the file system or a limit allows',
    'Raise the limit (ulimit -f), or choose a place on another file system: FAT32 has no files above 4 GiB.',
  ],
  EIO: [
    'the disk reports an input/output error',
    'Check the disk, then restore what is damaged from a backup.',
  ],
  EISDIR: ['it is a folder', 'Check what put it there.'],
  ELOOP: ['its symbolic links lead in a circle', 'Check where they lead (namei -l).'],
  EMFILE: ['too many files are open', 'Raise the limit (ulimit -n) and run the command again.'],
  ENAMETOOLONG: ['its name is too long for the file system', 'Choose a shorter name, or a place less deep.'],
  ENOENT: ['it does not exist', 'Check the path; another program may have removed it meanwhile.'],
  ENOMEM: ['the system has no memory left for it', 'Free some memory and run the command again.'],
  ENOSPC: ['no space left on the device', 'Free some disk space and run the command again.'],
  ENOTDIR: ['it is not a folder', 'Check the path.'],
  EPERM: ['operation not permitted', 'Run chops as the user that runs Chroma, or change the permissions.'],
  EROFS: ['the file system is read-only', 'Mount it writable, or choose another place.'],
  ESTALE: [
    'the server of the network file system has replaced or removed it',
    'Mount the file system anew and run the command again.',
  ],
  ETXTBSY: ['it is a program that is running', 'Stop it, or choose another file.'],
}

/** System calls that only look; every other one changes something. */
const READING = /^(access|f?stat|l?stat|open(dir)?|p?read|readlink|realpath|scandir|statfs)$/

/** Turns anything that was thrown into what the user is told. What is not expected is a bug and keeps its stack. */
export function failureOf(error: unknown, interrupted: boolean): Failure {
  // In a list of inquirer the terminal sends Ctrl-C as a key, not as a signal.
  if (interrupted || (error instanceof Error && error.name === 'ExitPromptError')) {
    // What was done before, where an error says so, is for the user to know.
    const message = error instanceof ChopsError ? `Interrupted: ${error.message}` : 'Interrupted.'
    return {code: 'interrupted', exitCode: EXIT_CODE.interrupted, message}
  }

  const expected = expectedError(error)
  if (expected) {
    return {
      code: expected.kind,
      exitCode: EXIT_CODE[expected.kind],
      ...(expected.file !== undefined && {file: expected.file}),
      message: withoutWrapper(expected.message),
      ...(expected.next !== undefined && {next: expected.next}),
    }
  }

  const bug = error instanceof Error ? error : new Error(String(error))
  return {
    code: 'bug',
    exitCode: EXIT_CODE.bug,
    message: `This is a bug in chops: ${bug.message}`,
    next: 'Please report it with the command line and the lines below.',
    ...(bug.stack !== undefined && {stack: bug.stack}),
  }
}

function expectedError(error: unknown): ChopsError | undefined {
  if (error instanceof ChopsError) return error
  if (error instanceof CLIError) {
    return new ChopsError('usage', firstSentence(error.message), {
      next: 'Run the command with --help to see what it takes.',
    })
  }

  return systemError(error)
}

/** Errors of an open file know no path. */
function systemError(error: unknown): ChopsError | undefined {
  const {code, path, syscall} = error as NodeJS.ErrnoException
  const known = code === undefined ? undefined : SYSTEM_ERRORS[code]
  if (!known || syscall === undefined) return undefined
  const [reason, next] = known
  const verb = READING.test(syscall) ? 'read' : 'written'
  return damaged(`${path ?? 'A file'} cannot be ${verb}: ${reason} (${syscall}).`, {
    cause: error,
    ...(path !== undefined && {file: path}),
    next,
  })
}

/** oclif appends `See more help with --help` to what its parser says. */
function firstSentence(message: string): string {
  return withoutWrapper(message)
    .replace(/\n+See more help with --help$/, '')
    .replaceAll(/\s*\n\s*/g, ' ')
}

/** oclif writes lines of its own around what the parser of a flag says, into whatever error that throws. */
function withoutWrapper(message: string): string {
  const [, flag, said] = /^Parsing (--\S+) \n\t(.*)\nSee more help with --help$/s.exec(message) ?? []
  if (flag === undefined || said === undefined) return message
  if (said.includes(flag)) return said
  return said.startsWith('Expected ') ? said.replace('Expected', `${flag} expects`) : `${flag}: ${said}`
}
