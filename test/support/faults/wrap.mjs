/**
 * Puts a point in front of a function, in the three styles of Node.
 *
 * An operation says what the function does:
 * `describe(self, args)` returns the point, or undefined for a call that changes nothing;
 * `fail(code, self, args)` returns the error that the call ends with, EIO or ENOSPC, or nothing where it goes unnoticed;
 * of a function with a callback also a promise of it;
 * `half(args)` returns the arguments with which half of the data is written;
 * `file(self, args)` identifies the open file where a full disk shows as a short count first and as ENOSPC only in the
 * next call, as write(2) has it; `finish` says that the call takes effect even when it fails, as close(2) does.
 */
import {setImmediate} from 'node:timers'

import {kill, reach} from './points.mjs'

/** Open files of which a write came out short. */
const full = new Set()

/** Node's own functions call each other: what runs inside a point is part of it. */
let inside = false

function call(original, self, args) {
  inside = true
  try {
    return Reflect.apply(original, self, args)
  } finally {
    inside = false
  }
}

function faultOf(operation, self, args) {
  const point = inside ? undefined : operation.describe(self, args)
  if (!point) return
  const fault = reach(point)
  const file = operation.file?.(self, args)
  if (file === undefined) return fault
  if (full.has(file)) return 'full'
  if (fault !== 'ENOSPC') return fault
  full.add(file)
  return 'short'
}

/**
 * What a fault comes to: with which arguments the original is called, if at all, whether that is the end of everything,
 * and the code of the error that takes the place of the result.
 */
function planOf(fault, operation, args) {
  const half = () => operation.half?.(args)
  switch (fault) {
    case 'EIO': {
      return {args: operation.finish ? args : undefined, code: 'EIO'}
    }

    case 'EIO after': {
      return {args, code: 'EIO'}
    }

    case 'ENOSPC': {
      return {args: operation.finish ? args : half(), code: 'ENOSPC'}
    }

    case 'full': {
      return {code: 'ENOSPC'}
    }

    case 'kill after': {
      return {args, kill: true}
    }

    case 'kill torn': {
      return {args: half(), kill: true}
    }

    case 'short': {
      return {args: half()}
    }

    default: {
      return {args}
    }
  }
}

/** What `promisify` looks for to give back more than one result. */
function named(original, wrapped) {
  for (const symbol of Object.getOwnPropertySymbols(original)) wrapped[symbol] = original[symbol]
  return wrapped
}

export function wrapSync(original, operation) {
  return function (...args) {
    const fault = faultOf(operation, this, args)
    if (fault === undefined) return call(original, this, args)
    const plan = planOf(fault, operation, args)
    const result = plan.args && call(original, this, plan.args)
    if (plan.kill) kill()
    const error = plan.code && operation.fail(plan.code, this, args)
    if (error) throw error
    return result
  }
}

export function wrapAsync(original, operation) {
  return function (...args) {
    const fault = faultOf(operation, this, args)
    if (fault === undefined) return call(original, this, args)
    const plan = planOf(fault, operation, args)
    return (async () => {
      const result = plan.args && (await call(original, this, plan.args))
      if (plan.kill) kill()
      if (plan.code) throw operation.fail(plan.code, this, args)
      return result
    })()
  }
}

/** Of a function whose last argument is a callback; without one there is nobody to tell, and no point. */
export function wrapCallback(original, operation) {
  return named(original, function (...args) {
    const done = args.pop()
    if (typeof done !== 'function') return call(original, this, [...args, done])
    const fault = faultOf(operation, this, args)
    if (fault === undefined) return call(original, this, [...args, done])
    const plan = planOf(fault, operation, args)
    const fail = async () => {
      const error = await operation.fail(plan.code, this, args)
      done(error)
    }

    if (!plan.args) {
      setImmediate(plan.kill ? kill : fail)
      return this
    }

    return call(original, this, [
      ...plan.args,
      function (...results) {
        if (plan.kill) kill()
        else if (plan.code) fail()
        else Reflect.apply(done, this, results)
      },
    ])
  })
}
