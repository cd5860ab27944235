import type {RecordMetadata, RecordMetadataScalar, RecordMetadataValue} from '@chops/core/records'

import {randomBytes} from 'node:crypto'

/**
 * JavaScript has one kind of number, and the client passes on no other: an integer beyond 2^53 would lose digits, and
 * `2.0` arrive as an integer that filters by floats do not find. So such a value travels through the client as a text
 * with a mark in front that nobody can guess, and `serializeBody` writes what stands behind the mark as it is.
 */
const MARK = `#chops:${randomBytes(12).toString('hex')}:`
const MARKED = new RegExp(`"${MARK}([^"]*)"`, 'g')

/** What the client's own checks let through as a value of metadata. */
export type WireValue = WireScalar | WireScalar[]

type WireScalar = boolean | number | string

/** A null where the client accepts texts only (a record without a document beside others with one). */
export const WIRE_NULL = `${MARK}null`

export function toWire(metadata: RecordMetadata): Record<string, WireValue> {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, wireValue(value)]))
}

/** The body of a request; for the client's option `bodySerializer`. */
export function serializeBody(body: unknown): string {
  return JSON.stringify(body).replaceAll(MARKED, '$1')
}

/** JSON has neither NaN nor the infinities. */
export function isSendable(value: RecordMetadataValue): boolean {
  const scalars = Array.isArray(value) ? value : [value]
  return scalars.every((scalar) => typeof scalar !== 'number' || Number.isFinite(scalar))
}

function wireValue(value: RecordMetadataValue): WireValue {
  return Array.isArray(value) ? value.map((item) => wireNumber(item)) : wireNumber(value)
}

function wireNumber(value: RecordMetadataScalar): WireScalar {
  if (typeof value === 'bigint') return `${MARK}${value}`
  if (typeof value === 'number') return `${MARK}${Number.isInteger(value) ? value.toFixed(1) : value}`
  return value
}
