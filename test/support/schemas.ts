import {Ajv} from 'ajv'
import {expect} from 'chai'
import {readFileSync} from 'node:fs'

const ajv = new Ajv({allErrors: true, allowUnionTypes: true})

/** Holds a JSON document against `schemas/<name>.schema.json`. */
export function expectToMatchSchema(name: string, document: unknown): void {
  const validate =
    ajv.getSchema(name) ??
    ajv
      .addSchema(
        JSON.parse(readFileSync(new URL(`../../schemas/${name}.schema.json`, import.meta.url), 'utf8')),
        name,
      )
      .getSchema(name)
  expect(validate?.(document), ajv.errorsText(validate?.errors)).to.equal(true)
}
