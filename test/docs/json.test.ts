import {expect} from 'chai'
import {readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {format} from 'prettier'

import {chops} from '../support/cli.js'
import {commandManifests} from '../support/manifests.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PAGE = `${ROOT}docs/json.md`
const TABLE = /<!-- schemas -->[\s\S]*<!-- \/schemas -->/
const FAILURE = 'error.schema.json'

function schemaOf(command: string): string {
  return `${command.replaceAll(' ', '-')}.schema.json`
}

/** A row for every command and one for what all of them have in common. */
async function table(commands: readonly string[]): Promise<string> {
  const rows = commands.map((command) => [`\`${command}\``, schemaOf(command)])
  const lines = [...rows, ['every command that fails', FAILURE]].map(
    ([what, schema]) => `| ${what} | [${schema}](../schemas/${schema}) |`,
  )
  const text = ['| command | schema |', '| - | - |', ...lines].join('\n')
  return `<!-- schemas -->\n\n${await format(text, {parser: 'markdown'})}\n<!-- /schemas -->`
}

describe('docs/json.md', () => {
  const page = readFileSync(PAGE, 'utf8')
  const commands = [...commandManifests().keys()].sort()

  it('lists every command with its schema (UPDATE_DOCS=1 writes the table anew)', async () => {
    const wanted = await table(commands)
    if (process.env.UPDATE_DOCS)
      writeFileSync(
        PAGE,
        page.replace(TABLE, () => wanted),
      )
    else expect(TABLE.exec(page)?.[0]).to.equal(wanted)
  })

  it('lists every schema, each of which there is', () => {
    expect(readdirSync(`${ROOT}schemas`).sort()).to.deep.equal([...commands.map(schemaOf), FAILURE].sort())
  })

  it('is right that every document has warnings', () => {
    for (const name of readdirSync(`${ROOT}schemas`)) {
      const schema = JSON.parse(readFileSync(`${ROOT}schemas/${name}`, 'utf8')) as {required: string[]}
      expect(schema.required, name).to.include('warnings')
    }
  })

  it('shows a failure as it is', async () => {
    const sample = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? ''
    const {code, stdout} = await chops(['db', 'info', '/srv/nothing', '--json'])
    expect(code).to.equal(5)
    expect(JSON.parse(stdout)).to.deep.equal(JSON.parse(sample))
  })
})
