import {expect} from 'chai'
import {readdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {chops} from '../support/cli.js'
import {unpackFixture} from '../support/fixtures.js'

/** Documents whose ```console blocks are commands with their real output (UPDATE_DOCS=1 writes them anew). */
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const DOCUMENTS = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
const BLOCK = /```console\n\$ (chops [^\n]+)\n([^`]*)```/g

/** What differs from run to run: the folder, new ids and times. */
function steady(output: string, folder: string, known: string): string {
  return (
    output
      .replaceAll(folder, '/srv')
      .replaceAll(/_backup_\d{14}/g, '_backup_YYYYMMDDhhmmss')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'YYYY-MM-DDThh:mm:ss.sssZ')
      .replaceAll(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, (id) => (known.includes(id) ? id : '<new id>'))
      // The seconds of a step of maintain; a table of two columns has parameters.
      .replaceAll(/(?<=^│(?:[^│]+│){3} )\d+\.\d +│$/gm, '0.0     │')
      // The page has the folder's name in it many times.
      .replaceAll(/report\.html \([\d.]+KiB\)/g, 'report.html (35.0KiB)')
      .replaceAll(/ +$/gm, '')
  )
}

for (const document of DOCUMENTS) {
  describe(`the samples in ${document}`, () => {
    const path = join(ROOT, document)
    const text = readFileSync(path, 'utf8')
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const folder = dirname(persistDir)
    renameSync(persistDir, join(folder, 'chroma'))
    let known = ''
    let updated = text

    before(async () => {
      known = (await chops(['db', 'info', join(folder, 'chroma'), '--json'])).stdout
    })

    for (const [block, line = '', sample = ''] of text.matchAll(BLOCK)) {
      it(`${line} prints what the document shows`, async () => {
        const args = line
          .split(' ')
          .slice(1)
          .map((word) => (word.startsWith('./') ? join(folder, word.slice(2)) : word))
        const {code, stderr, stdout} = await chops(args)
        expect(code, stderr).to.equal(0)
        const output = steady(stdout, folder, known)
        if (process.env.UPDATE_DOCS)
          updated = updated.replace(block, () => `\`\`\`console\n$ ${line}\n${output}\`\`\``)
        else expect(output).to.equal(sample)
      })
    }

    after(() => {
      if (process.env.UPDATE_DOCS) writeFileSync(path, updated)
    })
  })
}
