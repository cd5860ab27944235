import {expect} from 'chai'

import {failureOf} from '../../../core/src/command/failure.js'

function refused(code: string, syscall = 'open'): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: raw words, ${syscall}`), {code, path: '/data/file', syscall})
}

describe('an error of the operating system', () => {
  for (const [code, says, next] of [
    ['EBUSY', /using it/, /what does/],
    ['EFBIG', /larger than the file system or a limit allows/, /ulimit -f.*another file system/],
    ['ELOOP', /symbolic links/, /where they lead/],
    ['ENAMETOOLONG', /name is too long/, /shorter name/],
    ['ENOMEM', /no memory/, /Free some memory/],
    ['ESTALE', /network file system/, /Mount/],
    ['ETXTBSY', /program that is running/, /Stop it/],
  ] as const) {
    it(`that says ${code} is no bug: it names the file, the cause and what to do`, () => {
      const failure = failureOf(refused(code, 'write'), false)
      expect(failure).to.include({code: 'damaged', exitCode: 4, file: '/data/file'})
      expect(failure.message)
        .to.match(/^\/data\/file cannot be written: /)
        .and.match(says)
        .and.not.include('raw words')
      expect(failure.next).to.match(next)
    })
  }

  it('that nobody expects is a bug, with its own words', () => {
    const failure = failureOf(refused('EXYZ'), false)
    expect(failure).to.include({code: 'bug', exitCode: 70})
    expect(failure.message).to.include('raw words')
  })
})
