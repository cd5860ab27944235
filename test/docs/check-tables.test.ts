import {expect} from 'chai'
import {readFileSync, writeFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {format} from 'prettier'

import {explain, EXPLANATIONS} from '../../plugins/ops-db/src/services/check/explanations.js'
import {type Invariant, INVARIANTS} from '../../plugins/ops-db/src/services/check/invariants.js'

/** The parts of documents that are made from the tables of `db check` (UPDATE_DOCS=1 writes them anew). */
const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url))
const SEVERITY = {C: 'critical', E: 'error', I: 'information', W: 'warning'} as const

function findingsTable(): string {
  const rows = Object.entries<Invariant>(INVARIANTS).map(
    ([id, {holds, severity}]) => `| \`${id}\` | ${holds} | ${SEVERITY[severity]} |`,
  )
  return ['| id | what holds in a healthy directory | at worst |', '| - | - | - |', ...rows].join('\n')
}

function explanations(): string {
  return EXPLANATIONS.map(({cause, error, findings, next}) => {
    const ids = findings.map((id) => `\`${id}\``).join(', ')
    const causes = findings.length > 0 ? `Findings of \`db check\` that cause it: ${ids}.` : ''
    return [`## \`${error.replaceAll('`', '')}\``, cause, next, causes].filter(Boolean).join('\n\n')
  }).join('\n\n')
}

const GENERATED = [
  {content: findingsTable, file: 'db.md', name: 'findings'},
  {content: explanations, file: 'troubleshooting.md', name: 'errors'},
]

describe('the documents about db check', () => {
  for (const {content, file, name} of GENERATED) {
    it(`${file} holds the table of ${name} as the code has it`, async () => {
      const path = `${DOCS}${file}`
      const document = readFileSync(path, 'utf8')
      const wanted = `<!-- ${name} -->\n\n${await format(content(), {parser: 'markdown'})}\n<!-- /${name} -->`
      const part = new RegExp(`<!-- ${name} -->[\\s\\S]*<!-- /${name} -->`)
      if (process.env.UPDATE_DOCS)
        writeFileSync(
          path,
          document.replace(part, () => wanted),
        )
      else expect(part.exec(document)?.[0]).to.equal(wanted)
    })
  }

  it('knows each error by the text that the document gives', () => {
    for (const {error} of EXPLANATIONS) {
      expect(
        explain(error, []).map((known) => known.error),
        error,
      ).to.include(error)
    }
  })
})
