import {expect} from 'chai'
import fc from 'fast-check'
import {execFileSync} from 'node:child_process'
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {ChopsError} from '../../../core/src/errors.js'
import {writeIndexMetadata} from '../../../core/src/hnsw/index-metadata-writer.js'
import {type IndexMetadataForm, readIndexMetadata} from '../../../core/src/hnsw/index-metadata.js'
import {temporaryFolder} from '../../support/fixtures.js'

const folder = temporaryFolder()
const marker = join(folder, 'executed')
const command = `touch ${marker}`
const file = join(folder, 'index_metadata.pickle')

type Part = Buffer | number | string

/** Bytes of a pickle: numbers are bytes, strings are ASCII. */
function bytes(...parts: Part[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part))))
}

function text(value: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(Buffer.byteLength(value))
  return bytes('X', length, value)
}

function u32(value: number): Buffer {
  const encoded = Buffer.alloc(4)
  encoded.writeUInt32LE(value)
  return encoded
}

function u64(value: bigint): Buffer {
  const encoded = Buffer.alloc(8)
  encoded.writeBigUInt64LE(value)
  return encoded
}

const PROTO_3 = bytes(0x80, 3)
const PROTO_4 = bytes(0x80, 4)
const MODULE = 'chromadb.segment.impl.vector.local_persistent_hnsw'
const CLASS = `c${MODULE}\nPersistentData\n`
const COUNTERS = bytes(text('dimensionality'), 'N', text('total_elements_added'), 'K', 1)
const MAPS = bytes(
  text('id_to_label'),
  bytes('}(', text('a'), 'K', 1, 'u'),
  text('label_to_id'),
  bytes('}(', 'K', 1, text('a'), 'u'),
  text('id_to_seq_id'),
  '}',
)
const STATE = bytes('}(', COUNTERS, MAPS, 'u')

async function read(content: Buffer): Promise<void> {
  writeFileSync(file, content)
  await readIndexMetadata(file, {ids: false})
  await readIndexMetadata(file, {ids: true})
}

/** Reads in both modes and returns the error, which must be the expected kind with one sentence. */
async function refusal(content: Buffer): Promise<ChopsError> {
  writeFileSync(file, content)
  const errors: unknown[] = []
  for (const ids of [false, true] as const) {
    try {
      await (ids ? readIndexMetadata(file, {ids}) : readIndexMetadata(file, {ids}))
    } catch (error) {
      errors.push(error)
    }
  }

  const [error, second] = errors
  expect(errors, 'both modes refuse').to.have.length(2)
  if (!(error instanceof ChopsError)) throw error
  expect(second).to.be.instanceOf(ChopsError).with.property('message', error.message)
  expect(error.kind).to.equal('damaged')
  expect(error.file).to.equal(file)
  expect(error.message)
    .to.match(/^\S.*[^.]\.$/)
    .and.not.contain('\n')
  expect(error.message.startsWith(file)).to.equal(true)
  return error
}

describe('a hostile index_metadata.pickle', () => {
  it('is built on a pickle that is accepted', async () => {
    await read(bytes(PROTO_3, STATE, '.'))
    await read(bytes(PROTO_3, CLASS, ')', 0x81, STATE, 'b.'))
    await read(
      bytes(PROTO_4, text(MODULE), 0x94, text('PersistentData'), 0x94, 0x93, 0x94, ')', 0x81, STATE, 'b.'),
    )
  })

  it('may hold what does no harm: another order, fields of another version, single entries', async () => {
    const id = bytes('X', u32(1), 'a')
    const state = bytes(
      bytes(
        '}',
        text('future'),
        0x88,
        's',
        text('ratio'),
        'G',
        u64(0n),
        's(',
        COUNTERS,
        text('more'),
        '}',
        id,
        'Ns',
      ),
      bytes(
        text('label_to_id'),
        '}M',
        7,
        0,
        id,
        's',
        text('id_to_seq_id'),
        '}',
        text('id_to_label'),
        '}',
        id,
        'K',
        7,
        'su',
      ),
    )
    writeFileSync(file, bytes(PROTO_3, state, '.'))
    const metadata = await readIndexMetadata(file, {ids: true})
    expect([...metadata.idToLabel]).to.deep.equal([['a', 7]])
    expect(metadata.labelToId).to.deep.equal({entries: 1, matching: 1})
    await read(bytes(PROTO_3, state, '.'))
  })

  const executing: [name: string, pickle: Buffer, opcode: RegExp][] = [
    ['protocol 0 REDUCE of os.system', bytes(`cos\nsystem\n(S'${command}'\ntR.`), /PROTO/],
    [
      'protocol 2 REDUCE of os.system',
      bytes(0x80, 2, 'cposix\nsystem\n', text(command), 0x85, 'R.'),
      /GLOBAL.* byte 2\./,
    ],
    [
      'protocol 4 STACK_GLOBAL of posix.system',
      bytes(PROTO_4, text('posix'), 0x94, text('system'), 0x94, 0x93, 0x94, text(command), 0x85, 0x52, '.'),
      /STACK_GLOBAL/,
    ],
    ['builtins.eval', bytes(PROTO_3, 'cbuiltins\neval\n', text('1'), 0x85, 'R.'), /GLOBAL/],
    [
      'a GLOBAL that only begins like the class',
      bytes(PROTO_3, CLASS.slice(0, -1), 'X\n)', 0x81, STATE, 'b.'),
      /GLOBAL/,
    ],
    ['the class of another module', bytes(PROTO_3, 'cevil\nPersistentData\n)', 0x81, STATE, 'b.'), /GLOBAL/],
    ['INST', bytes(PROTO_3, `(S'${command}'\nios\nsystem\n.`), /MARK/],
    ['INST where a value stands', bytes(PROTO_3, '}(', text('a'), `ios\nsystem\n.`), /INST \(0x69\)/],
    ['OBJ', bytes(PROTO_3, '(cos\nsystem\n', text(command), 'o.'), /MARK/],
    ['OBJ of the class', bytes(PROTO_3, CLASS, 'o.'), /OBJ \(0x6f\)/],
    ['REDUCE of the class', bytes(PROTO_3, CLASS, ')R', STATE, 'b.'), /REDUCE \(0x52\)/],
    ['BUILD of the class itself', bytes(PROTO_3, CLASS, STATE, 'b.'), /EMPTY_DICT/],
    ['BUILD with a state that is no dict', bytes(PROTO_3, CLASS, ')', 0x81, text(command), 'b.'), /BUILD/],
    ['BUILD twice', bytes(PROTO_3, CLASS, ')', 0x81, STATE, 'b', STATE, 'b.'), /EMPTY_DICT/],
    ['an object as the value of a field', bytes(PROTO_3, '}(', text('x'), CLASS, ')', 0x81, 'u.'), /GLOBAL/],
    [
      'an object as an entry',
      bytes(PROTO_3, '}(', text('x'), '}(', text('y'), CLASS, ')', 0x81, 'uu.'),
      /GLOBAL/,
    ],
    ['NEWOBJ_EX', bytes(PROTO_4, CLASS, ')}', 0x92, STATE, 'b.'), /EMPTY_DICT/],
    ['EXT1', bytes(PROTO_3, 0x82, 1, '.'), /EXT1 \(0x82\)/],
    ['EXT2', bytes(PROTO_3, 0x83, 1, 0, '.'), /EXT2/],
    ['EXT4', bytes(PROTO_3, 0x84, 1, 0, 0, 0, '.'), /EXT4/],
    ['PERSID', bytes(PROTO_3, 'Pid\n.'), /PERSID \(0x50\)/],
    ['BINPERSID', bytes(PROTO_3, text('id'), 'Q.'), /BINPERSID/],
  ]
  for (const [name, pickle, opcode] of executing) {
    it(`is refused and not executed: ${name}`, async () => {
      expect((await refusal(pickle)).message)
        .to.match(opcode)
        .and.match(/ at byte \d+\.$/)
      expect(existsSync(marker)).to.equal(false)
    })
  }

  const long = (length: number, ...content: number[]) => bytes(0x8a, length, ...content)
  const withLabel = (label: Buffer) => bytes(PROTO_3, '}(', text('id_to_label'), '}(', text('a'), label, 'u')
  const shapes: [name: string, pickle: Buffer, message: RegExp][] = [
    ['an empty file', Buffer.alloc(0), /is empty/],
    ['nothing but noise', Buffer.alloc(4096, 0x7e), /PROTO/],
    ['zeros, as a crash leaves them', Buffer.alloc(4096), /PROTO/],
    ['a protocol that is not made yet', bytes(0x80, 6, STATE, '.'), /protocol 6/],
    ['a second PROTO', bytes(PROTO_3, PROTO_3, STATE, '.'), /PROTO \(0x80\).* byte 2\./],
    ['a list', bytes(PROTO_3, '].'), /0x5d.* byte 2\./],
    ['a list as the value of a field', bytes(PROTO_3, '}(', text('x'), ']u.'), /0x5d/],
    ['deeply nested marks', bytes(PROTO_3, '('.repeat(100_000)), /MARK.* byte 2\./],
    [
      'deeply nested dicts',
      bytes(PROTO_3, bytes('}(', text('x')).toString('latin1').repeat(10_000)),
      /EMPTY_DICT/,
    ],
    ['a dict in a dict in a field', bytes(PROTO_3, '}(', text('x'), '}(', text('y'), '}uu.'), /EMPTY_DICT/],
    ['a dict as key', bytes(PROTO_3, '}(}', text('y'), 'u.'), /EMPTY_DICT/],
    ['None as key of an entry', bytes(PROTO_3, '}(', text('x'), '}(NNuu.'), /key/],
    ['a key without a value', bytes(PROTO_3, '}(', text('x'), '}(', text('y'), 'uu.'), /SETITEMS/],
    ['a field without a value', bytes(PROTO_3, '}(', COUNTERS, text('x'), 'u.'), /SETITEMS/],
    ['a field with a number for a name', bytes(PROTO_3, '}(K', 1, 'K', 1, 'u.'), /name is no text/],
    ['SETITEMS without MARK', bytes(PROTO_3, '}', COUNTERS, 'u.'), /SETITEMS/],
    ['SETITEM on nothing', bytes(PROTO_3, 's.'), /SETITEM/],
    ['STOP before the end of a dict', bytes(PROTO_3, '}(', COUNTERS, '.'), /STOP/],
    ['STOP on nothing', bytes(PROTO_3, '.'), /STOP/],
    ['an object without a state', bytes(PROTO_3, CLASS, ')', 0x81, '.'), /STOP/],
    ['more fields than the stack may hold', bytes(PROTO_3, '}(', 'N'.repeat(100_000), 'u.'), /more fields/],
    [
      'a dict that holds itself',
      bytes(PROTO_3, '}q', 0, '(', text('id_to_label'), 'h', 0, 'u.'),
      /refers to memo 0/,
    ],
    [
      'a dict that holds its sibling',
      bytes(PROTO_3, '}(', text('x'), '}q', 0, text('y'), 'h', 0, 'u.'),
      /refers to memo 0/,
    ],
    ['a memo that was never set', bytes(PROTO_3, '}(', text('x'), 'h', 9, 'u.'), /refers to memo 9/],
    ['a memo bomb', bytes(PROTO_3, '}r', u32(0xff_ff_ff_f0), 'u.'), /memo out of order/],
    ['one thing memoized again and again', bytes(PROTO_4, '}', Buffer.alloc(9, 0x94)), /memo out of order/],
    ['a memo of nothing', bytes(PROTO_4, 0x94, '.'), /memo out of order/],
    ['a text of 4 GB', bytes(PROTO_3, '}(X', u32(0xff_ff_ff_ff), 'abc'), /truncated/],
    ['a text of 2^63 bytes', bytes(PROTO_4, '}(', 0x8d, u64(2n ** 63n), 'abc'), /0x8d/],
    ['bytes of 4 GB', bytes(PROTO_3, '}(B', u32(0xff_ff_ff_ff), 'abc'), /0x42/],
    [
      'a text beyond 16 MiB',
      bytes(PROTO_3, '}(X', u32(1 << 25), Buffer.alloc(1 << 25)),
      /text of 33554432 bytes/,
    ],
    ['a frame longer than the file', bytes(PROTO_4, 0x95, u64(2n ** 63n), STATE, '.'), /truncated/],
    ['a frame in a frame', bytes(PROTO_4, 0x95, u64(10n), 0x95, u64(1n), STATE, '.'), /FRAME/],
    [
      'a text that is not UTF-8',
      bytes(PROTO_3, '}(', text('id_to_label'), '}(', 'X', u32(2), 0xc3, 0x28),
      /UTF-8/,
    ],
    [
      'a lone surrogate',
      bytes(PROTO_3, '}(', text('id_to_label'), '}(', 'X', u32(3), 0xed, 0xa0, 0x80),
      /UTF-8/,
    ],
    ['a negative label', withLabel(bytes('J', u32(0xff_ff_ff_ff))), /a label/],
    ['a label beyond 2^53', withLabel(long(8, 0, 0, 0, 0, 0, 0, 0x20, 0)), /a label/],
    ['a label of 255 bytes', withLabel(long(255, ...Array.from({length: 255}, () => 0x7f))), /a label/],
    ['a negative label of 9 bytes', withLabel(long(9, 0, 0, 0, 0, 0, 0, 0, 0, 0x80)), /a label/],
    ['a label with a fraction', withLabel(bytes('G', 0x3f, 0xf8, 0, 0, 0, 0, 0, 0)), /a label/],
    ['a label that is True', withLabel(bytes(0x88)), /a label/],
    ['a label that is None', withLabel(bytes('N')), /a label/],
    ['a label that is a text', withLabel(text('1')), /a label/],
    ['an id that is a number', bytes(PROTO_3, '}(', text('id_to_label'), '}(K', 1, 'K', 1, 'u'), /an id/],
    [
      'no id_to_seq_id',
      bytes(PROTO_3, '}(', COUNTERS, text('id_to_label'), '}', text('label_to_id'), '}u.'),
      /lacks id_to_seq_id/,
    ],
    ['no total_elements_added', bytes(PROTO_3, '}(', MAPS, 'u.'), /lacks total_elements_added/],
    [
      'id_to_label twice',
      bytes(PROTO_3, '}(', text('id_to_label'), '}', text('id_to_label'), '}u.'),
      /id_to_label twice/,
    ],
    ['a counter twice', bytes(PROTO_3, '}(', COUNTERS, COUNTERS, 'u.'), /dimensionality twice/],
    ['a dict for a counter', bytes(PROTO_3, '}(', text('dimensionality'), '}u.'), /a dict as dimensionality/],
    [
      'a number for a dict',
      bytes(PROTO_3, '}(', text('id_to_label'), 'K', 1, 'u.'),
      /no dict as id_to_label/,
    ],
  ]
  for (const [name, pickle, message] of shapes) {
    it(`is refused: ${name}`, async () => {
      expect((await refusal(pickle)).message).to.match(message)
    })
  }

  it('takes no memory for the references of a billion laughs', async () => {
    const references = Buffer.concat(Array.from({length: 50_000}, () => bytes('h', 0, 'K', 1)))
    const laughs = bytes('}(', text('a'.repeat(1000)), 'q', 0, 'K', 1, references, 'u')
    const state = bytes(
      '}(',
      COUNTERS,
      text('id_to_label'),
      laughs,
      text('label_to_id'),
      '}',
      text('id_to_seq_id'),
      '}u',
    )
    writeFileSync(file, bytes(PROTO_3, state, '.'))
    const {idToLabel, repeatedIds} = await readIndexMetadata(file, {ids: true})
    expect([idToLabel.size, repeatedIds]).to.deep.equal([1, 50_000])
  })

  it('that is a folder, a pipe or missing is refused without waiting', async () => {
    const paths = ['folder', 'pipe', 'missing'].map((name) => join(folder, name))
    mkdirSync(paths[0] ?? '')
    execFileSync('mkfifo', [paths[1] ?? ''])
    for (const path of paths) {
      const error: unknown = await readIndexMetadata(path, {ids: false}).catch((error: unknown) => error)
      expect(error).to.be.instanceOf(ChopsError).with.property('kind', 'damaged')
    }
  })

  const content = {
    dimensionality: 8,
    idToLabel: new Map([
      ['a', 1],
      ['c', 70_000],
      ['日本', 300],
    ]),
    idToSeqId: new Map([
      ['a', 5],
      ['c', 2 ** 40],
    ]),
    maxSeqId: 2 ** 33,
    totalElementsAdded: 70_000,
  }
  for (const form of ['PersistentData', 'dict'] satisfies IndexMetadataForm[]) {
    it(`is refused wherever a ${form} is cut`, async () => {
      const pickle = await written(form)
      for (let at = 0; at < pickle.length; at++) await refusal(pickle.subarray(0, at))
    })

    it(`never causes anything but a clear error, whatever bytes of a ${form} change`, async () => {
      const pickle = await written(form)
      const changes = fc.array(fc.record({at: fc.nat(pickle.length - 1), to: fc.nat(255)}), {
        maxLength: 4,
        minLength: 1,
      })
      await fc.assert(
        fc.asyncProperty(changes, async (changed) => {
          const noisy = Buffer.from(pickle)
          for (const {at, to} of changed) noisy[at] = to
          await read(noisy).catch((error: unknown) => {
            if (!(error instanceof ChopsError) || error.kind !== 'damaged') throw error
          })
        }),
        {numRuns: 150},
      )
    })
  }

  async function written(form: IndexMetadataForm): Promise<Buffer> {
    const target = join(temporaryFolder(), 'pickle')
    await writeIndexMetadata(target, content, form)
    return readFileSync(target)
  }
})
