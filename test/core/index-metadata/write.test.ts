import {expect} from 'chai'
import fc from 'fast-check'
import {execFileSync} from 'node:child_process'
import {appendFileSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {writeIndexMetadata} from '../../../core/src/hnsw/index-metadata-writer.js'
import {
  INDEX_METADATA_FILE,
  type IndexMetadataContent,
  type IndexMetadataForm,
  indexMetadataProblems,
  readIndexMetadata,
} from '../../../core/src/hnsw/index-metadata.js'
import {type FixtureName, FIXTURES, temporaryFolder, unpackFixture} from '../../support/fixtures.js'

const FORMS = ['PersistentData', 'dict'] satisfies IndexMetadataForm[]

/** Loads every file of a folder with both of Python's unpicklers, then pickles it again in all the ways Python has. */
const PYTHON = `
import json, os, pickle, pickletools, sys, types
module = 'chromadb.segment.impl.vector.local_persistent_hnsw'
parts = module.split('.')
for i in range(len(parts)):
    sys.modules['.'.join(parts[:i + 1])] = types.ModuleType('.'.join(parts[:i + 1]))
class PersistentData: pass
PersistentData.__module__ = module
PersistentData.__qualname__ = 'PersistentData'
sys.modules[module].PersistentData = PersistentData
answers = {}
folder = sys.argv[1]
for name in os.listdir(folder):
    path = os.path.join(folder, name)
    with open(path, 'rb') as f: loaded = pickle.load(f)
    with open(path, 'rb') as f: again = pickle._load(f)
    with open(path, 'rb') as f: pickletools.dis(f, out=open(os.devnull, 'w'))
    state = loaded if type(loaded) is dict else vars(loaded)
    assert state == (again if type(again) is dict else vars(again))
    if type(loaded) is not dict:
        ids = {id(x) for x in state['id_to_label']}
        assert all(id(x) in ids for x in state['label_to_id'].values()), 'ids are loaded more than once'
    answers[name] = {'class': type(loaded).__name__, **state}
    for protocol, how in ((2, 'c'), (3, 'python'), (4, 'python'), (5, 'c')):
        content = (pickle.dumps if how == 'c' else pickle._dumps)(loaded, protocol)
        for suffix, content in (('', content), ('-optimized', pickletools.optimize(content))):
            with open(os.path.join(folder, f'{name}-{protocol}-{how}{suffix}'), 'wb') as f: f.write(content)
odd = PersistentData()
odd.dimensionality, odd.total_elements_added, odd.max_seq_id = 3, 1, 2
odd.id_to_label, odd.label_to_id, odd.id_to_seq_id = {'label_to_id': 1}, {1: 'label_to_id'}, {'label_to_id': 2}
with open(os.path.join(folder, 'odd'), 'wb') as f: pickle.dump(odd, f, 5)
json.dump(answers, sys.stdout)
`

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import pickletools'], {stdio: 'ignore'})
    return true
  } catch {
    return false
  }
}

function ids(count: number, id: (index: number) => string = (index) => `id-${index}`): IndexMetadataContent {
  const names = Array.from({length: count}, (_, index) => id(index))
  return {
    dimensionality: 8,
    idToLabel: new Map(names.map((name, index) => [name, index + 1])),
    idToSeqId: new Map(names.map((name, index) => [name, index + 100])),
    maxSeqId: count + 100,
    totalElementsAdded: count,
  }
}

async function written(content: IndexMetadataContent, form: IndexMetadataForm): Promise<string> {
  const file = join(temporaryFolder(), INDEX_METADATA_FILE)
  await writeIndexMetadata(file, content, form)
  return file
}

/** Reads a file in both modes, which must agree, and returns what a writer would take. */
async function readBack(file: string): Promise<IndexMetadataContent & {form: IndexMetadataForm}> {
  const full = await readIndexMetadata(file, {ids: true})
  const {labelCount, labels, ...shared} = await readIndexMetadata(file, {ids: false})
  expect(full).to.deep.include(shared)
  expect(labelCount).to.equal(full.idToLabel.size)
  expect([...full.idToLabel.values()].every((label) => labels.has(label))).to.equal(true)
  expect(indexMetadataProblems(full)).to.deep.equal([])
  const {dimensionality, form, idToLabel, idToSeqId, maxSeqId, totalElementsAdded} = full
  return {dimensionality, form, idToLabel, idToSeqId, maxSeqId, totalElementsAdded}
}

function pickles(fixture: FixtureName): string[] {
  const {persistDir} = unpackFixture(fixture)
  return readdirSync(persistDir, {recursive: true, withFileTypes: true})
    .filter(({name}) => name === INDEX_METADATA_FILE)
    .map(({name, parentPath}) => join(parentPath, name))
}

async function problemsAfter(change: (content: Buffer) => Buffer): Promise<[id: string, what: string][]> {
  const file = await written(ids(3), 'dict')
  writeFileSync(file, change(readFileSync(file)))
  return indexMetadataProblems(await readIndexMetadata(file, {ids: true})).map(({id, what}) => [id, what])
}

/** Sets the number that stands `distance` bytes after a name. */
const setNumber = (name: string, distance: number, value: number) => (content: Buffer) => {
  content.writeInt32LE(value, content.indexOf(name) + name.length + distance)
  return content
}

describe('writing index_metadata.pickle', () => {
  it('keeps everything of what every engine wrote, in both forms', async () => {
    for (const file of FIXTURES.flatMap((fixture) => pickles(fixture))) {
      const content = {...(await readBack(file)), dimensionality: 8}
      // Rust keeps seq ids of deleted ids, and has none for the ids it added.
      const live = [...content.idToSeqId].filter(([id]) => content.idToLabel.has(id))
      const inDict = {idToSeqId: new Map(live), maxSeqId: content.maxSeqId ?? null}
      const inObject = {
        idToSeqId: new Map([...content.idToLabel.keys()].map((id) => [id, content.idToSeqId.get(id) ?? 0])),
        maxSeqId: content.maxSeqId ?? undefined,
      }
      expect(await readBack(await written(content, 'dict'))).to.deep.equal({
        ...content,
        ...inDict,
        form: 'dict',
      })
      expect(await readBack(await written(content, 'PersistentData'))).to.deep.equal({
        ...content,
        ...inObject,
        form: 'PersistentData',
      })
    }
  })

  it('writes the bytes that the Rust engine writes, but for the order that its hash map gives label_to_id', async () => {
    for (const file of pickles('chroma-1.5.9')) {
      const theirs = readFileSync(file)
      const ours = readFileSync(await written(await readIndexMetadata(file, {ids: true}), 'dict'))
      const upTo = theirs.indexOf('label_to_id') + 'label_to_id'.length
      expect(ours.subarray(0, upTo).equals(theirs.subarray(0, upTo))).to.equal(true)
      expect(ours).to.have.length(theirs.length)
      expect(ours.subarray(-20).equals(theirs.subarray(-20))).to.equal(true)
    }
  })

  it('keeps any ids and numbers', async () => {
    const entry = fc.tuple(
      fc.oneof(
        fc.string({unit: fc.constantFrom('a', '\0', '\n', 'é', '日', '🙂')}),
        fc.constantFrom('x'.repeat(255), 'é'.repeat(128), ''),
      ),
      fc.nat(Number.MAX_SAFE_INTEGER),
      fc.nat(0xff_ff_ff_ff),
    )
    const entries = fc.uniqueArray(entry, {maxLength: 10, selector: ([id]) => id})
    await fc.assert(
      fc.asyncProperty(entries, fc.constantFrom(...FORMS), async (entries, form) => {
        const highest = form === 'dict' ? 0xff_ff_ff_ff : Number.MAX_SAFE_INTEGER
        const labels = new Set(entries.map(([, label]) => label % (highest + 1)))
        const content: IndexMetadataContent = {
          dimensionality: 1536,
          idToLabel: new Map([...labels].map((label, index) => [entries[index]?.[0] ?? '', label])),
          idToSeqId: new Map(entries.slice(0, labels.size).map(([id, , seqId]) => [id, seqId])),
          maxSeqId: 2 ** 40,
          totalElementsAdded: highest,
        }
        expect(await readBack(await written(content, form))).to.deep.equal({...content, form})
      }),
      {numRuns: 60},
    )
  })

  for (const form of FORMS) {
    it(`writes and reads a ${form} whose batches and chunks are full, with ids as long as two chunks`, async () => {
      for (const count of [0, 1, 999, 1000, 1001]) {
        const content = ids(count)
        expect(await readBack(await written(content, form))).to.deep.equal({...content, form})
      }

      const content = ids(5000, (index) => (index === 2500 ? 'é'.repeat(1 << 20) : `${index}`.repeat(50)))
      const progress: number[] = []
      const file = await written(content, form)
      expect(await readBack(file)).to.deep.equal({...content, form})
      await readIndexMetadata(file, {
        ids: false,
        onProgress(done, total) {
          progress.push(done / total)
        },
      })
      expect(progress).to.have.length.greaterThan(2)
      expect(progress).to.deep.equal([...progress].sort((a, b) => a - b))
      expect(progress.at(-1)).to.equal(1)
    })
  }

  it('stops when it is told to', async () => {
    const signal = AbortSignal.abort(new Error('told to'))
    const file = await written(ids(10), 'dict')
    const outcomes = await Promise.allSettled([
      readIndexMetadata(file, {ids: true, signal}),
      writeIndexMetadata(join(temporaryFolder(), 'x'), ids(20_000), 'dict', {signal}),
    ])
    for (const outcome of outcomes) expect(outcome).to.have.nested.property('reason.message', 'told to')
  })

  it('is read by both unpicklers of Python, and reads what all of its picklers make of it', async function () {
    if (!hasPython()) this.skip()
    const folder = temporaryFolder()
    const ones = ids(1)
    const many = ids(1100, (index) => (index % 3 === 0 ? `é日🙂 ${index}` : `${index}`.repeat(80)))
    const contents = {many: {...many, maxSeqId: 2 ** 40}, none: ids(0), ones}
    for (const form of FORMS) {
      for (const [name, content] of Object.entries(contents))
        await writeIndexMetadata(join(folder, `${name}-${form}`), content, form)
    }

    const output = execFileSync('python3', ['-c', PYTHON, folder], {encoding: 'utf8', maxBuffer: 1 << 26})
    const answers = JSON.parse(output) as Record<string, unknown>
    for (const form of FORMS) {
      for (const [
        name,
        {dimensionality, idToLabel, idToSeqId, maxSeqId, totalElementsAdded},
      ] of Object.entries(contents)) {
        expect(answers[`${name}-${form}`]).to.deep.equal({
          class: form,
          dimensionality,
          id_to_label: Object.fromEntries(idToLabel),
          id_to_seq_id: Object.fromEntries(idToSeqId),
          label_to_id: Object.fromEntries([...idToLabel].map(([id, label]) => [label, id])),
          max_seq_id: maxSeqId,
          total_elements_added: totalElementsAdded,
        })
      }
    }

    const odd = await readBack(join(folder, 'odd'))
    expect([...odd.idToLabel]).to.deep.equal([['label_to_id', 1]])
    const redone = readdirSync(folder).filter((name) => /-\d/.test(name))
    expect(redone).to.have.length(6 * 8)
    for (const name of redone) {
      // e.g. many-dict-5-c-optimized
      const [content, form] = name.split('-') as [keyof typeof contents, IndexMetadataForm]
      expect(await readBack(join(folder, name)), name).to.deep.equal({...contents[content], form})
    }
  })

  it('refuses content that would make an engine lose data or fail', async () => {
    const one = ids(1)
    const refused: [IndexMetadataContent, IndexMetadataForm, RegExp][] = [
      [{...ids(5), totalElementsAdded: 4}, 'dict', /label 5/],
      [{...one, idToLabel: new Map([['a', 2 ** 32]]), totalElementsAdded: 2 ** 32 - 1}, 'dict', /label/],
      [{...one, totalElementsAdded: 2 ** 32}, 'dict', /total_elements_added/],
      [{...one, idToLabel: new Map([['a', -1]])}, 'PersistentData', /label/],
      [{...one, idToLabel: new Map([['a', 0.5]])}, 'PersistentData', /label/],
      [{...one, dimensionality: null}, 'PersistentData', /dimension/],
    ]
    for (const [content, form, message] of refused) {
      const error: unknown = await written(content, form).catch((error: unknown) => error)
      expect(error).to.be.instanceOf(RangeError).with.property('message').that.matches(message)
    }
  })

  it('leaves a file alone that is there already', async () => {
    const file = join(temporaryFolder(), INDEX_METADATA_FILE)
    writeFileSync(file, 'precious')
    const error: unknown = await writeIndexMetadata(file, ids(1), 'dict').catch((error: unknown) => error)
    expect(error).to.have.property('code', 'EEXIST')
    expect(readFileSync(file, 'utf8')).to.equal('precious')
  })

  it('leaves out of a dict the seq ids that the Rust engine could not read', async () => {
    const content = {
      ...ids(2),
      idToSeqId: new Map([
        ['gone', 1],
        ['id-0', 2 ** 32],
        ['id-1', 2 ** 32 - 1],
      ]),
    }
    expect([...(await readBack(await written(content, 'dict'))).idToSeqId]).to.deep.equal([
      ['id-1', 2 ** 32 - 1],
    ])
  })

  describe('and its problems', () => {
    it('names a label above total_elements_added (H15)', async () => {
      const problems = await problemsAfter(setNumber('total_elements_added', 1, 2))
      expect(problems).to.deep.equal([
        ['H15', 'counts 2 elements added, but has a label 3: new vectors would land on old ones'],
      ])
    })

    it("names maps that are not each other's inverse (H14)", async () => {
      const expected = [
        ['H14', 'has 3 ids in id_to_label, but 2 of the 3 entries of label_to_id agree with it'],
      ]
      expect(await problemsAfter(setNumber('label_to_id', 3, 77))).to.deep.equal(expected)
      expect(await problemsAfter(setNumber('id_to_label', 12, 2))).to.deep.equal([
        ['H14', 'gives 1 of its ids the label of another one'],
        ...expected,
      ])
    })

    it('names an id that is stated twice (H14)', async () => {
      const problems = await problemsAfter((content) => {
        content.write('id-1', content.indexOf('id-0'))
        return content
      })
      expect(problems.map(([id]) => id)).to.deep.equal(['H14', 'H14'])
      expect(problems[0]?.[1]).to.equal('states 1 of its ids more than once in id_to_label')
    })

    it('reads a file with bytes after its end, as Python does, and names them (H8)', async () => {
      const file = await written(ids(3), 'PersistentData')
      appendFileSync(file, Buffer.alloc(4096))
      const metadata = await readIndexMetadata(file, {ids: true})
      expect(metadata.idToLabel).to.have.property('size', 3)
      const [problem, ...others] = indexMetadataProblems(metadata)
      expect(others).to.deep.equal([])
      expect(problem).to.include({file: INDEX_METADATA_FILE, id: 'H8'})
      expect(problem?.what).to.match(/^has 4096 bytes after its end/)
    })
  })
})
