import {open} from 'node:fs/promises'
import type {ScanOptions} from './files.js'
import {type IndexMetadataContent, type IndexMetadataForm, PERSISTENT_DATA} from './index-metadata.js'
import {Opcode} from './pickle-opcodes.js'
import {PickleWriter} from './pickle-writer.js'

/** The Rust engine reads every number of the dict but the dimension and max_seq_id as u32. */
const MAX_U32 = 0xff_ff_ff_ff

const PROGRESS_ENTRIES = 10_000

/**
 * Writes a new `index_metadata.pickle`. It must not exist yet: an index is built in a new folder, whose files the caller
 * syncs to the disk together when all are there.
 *
 * - `PersistentData`, protocol 5: the object that the Python engine up to 0.6.3 loads, with the attributes all its
 *   versions share. 0.5.5 also counts updates and invalid operations since the last write of the file; it takes 0 for
 *   both when they are missing. Without `maxSeqId` the attribute is left out, which suits only 0.5.7 and later, and only
 *   when the table `max_seq_id` has the segment's row; a value suits them all. An id without a seq id gets 0.
 * - `dict`, protocol 3: what serde_pickle writes for the Rust engine. A seq id that engine could not read is left out.
 *
 * In both, id_to_seq_id holds only ids that have a label. `onProgress` counts entries of the first two dicts.
 *
 * @throws RangeError for content that would make an engine lose data or fail: labels or counts out of range, a label
 * above `totalElementsAdded`, a `PersistentData` without dimension
 */
export async function writeIndexMetadata(
  file: string,
  metadata: IndexMetadataContent,
  form: IndexMetadataForm,
  options: ScanOptions = {},
): Promise<void> {
  assertWritable(metadata, form)
  const handle = await open(file, 'wx')
  try {
    const writer = new PickleWriter(handle)
    await (form === 'dict' ? writeDict : writePersistentData)(writer, metadata, options)
    await writer.flush()
  } finally {
    await handle.close()
  }
}

function assertWritable(
  {dimensionality, idToLabel, totalElementsAdded}: IndexMetadataContent,
  form: IndexMetadataForm,
) {
  const highest = form === 'dict' ? MAX_U32 : Number.MAX_SAFE_INTEGER
  const isCount = (value: number) => Number.isInteger(value) && value >= 0 && value <= highest
  if (!isCount(totalElementsAdded))
    throw new RangeError(`total_elements_added cannot be ${totalElementsAdded}`)
  if (form === 'PersistentData' && dimensionality === null)
    throw new RangeError('PersistentData needs a dimension')
  for (const label of idToLabel.values()) {
    if (!isCount(label)) throw new RangeError(`a label cannot be ${label}`)
    // The next vector gets total_elements_added + 1 and would overwrite the one that has this label.
    if (label > totalElementsAdded)
      throw new RangeError(`label ${label} is above ${totalElementsAdded} elements added`)
  }
}

async function writeDict(
  writer: PickleWriter,
  metadata: IndexMetadataContent,
  options: ScanOptions,
): Promise<void> {
  const {idToLabel, idToSeqId} = metadata
  const done = counter(2 * idToLabel.size, options)
  writer.opcodes(Opcode.PROTO, 3, Opcode.EMPTY_DICT, Opcode.MARK)
  writer.text('dimensionality')
  writer.integer(metadata.dimensionality)
  writer.text('total_elements_added')
  writer.integer(metadata.totalElementsAdded)
  writer.text('max_seq_id')
  writer.integer(metadata.maxSeqId ?? null)

  writer.text('id_to_label')
  await writer.dict(idToLabel, ([id, label]) => {
    writer.text(id)
    writer.integer(label)
    done()
  })
  writer.text('label_to_id')
  await writer.dict(idToLabel, ([id, label]) => {
    writer.integer(label)
    writer.text(id)
    done()
  })
  writer.text('id_to_seq_id')
  await writer.dict(readableSeqIds(idToLabel, idToSeqId), ([id, seqId]) => {
    writer.text(id)
    writer.integer(seqId)
  })
  writer.opcodes(Opcode.SETITEMS, Opcode.STOP)
}

function* readableSeqIds(
  idToLabel: Map<string, number>,
  idToSeqId: Map<string, number>,
): Generator<[string, number]> {
  for (const entry of idToSeqId) if (entry[1] <= MAX_U32 && idToLabel.has(entry[0])) yield entry
}

async function writePersistentData(
  writer: PickleWriter,
  metadata: IndexMetadataContent,
  options: ScanOptions,
): Promise<void> {
  const {dimensionality, idToLabel, idToSeqId, maxSeqId = null, totalElementsAdded} = metadata
  const done = counter(2 * idToLabel.size, options)
  writer.opcodes(Opcode.PROTO, 5)
  writer.shortText(PERSISTENT_DATA.module)
  writer.shortText(PERSISTENT_DATA.name)
  writer.opcodes(Opcode.STACK_GLOBAL, Opcode.EMPTY_TUPLE, Opcode.NEWOBJ, Opcode.EMPTY_DICT, Opcode.MARK)
  writer.shortText('dimensionality')
  writer.integer(dimensionality)
  writer.shortText('total_elements_added')
  writer.integer(totalElementsAdded)
  if (maxSeqId !== null) {
    writer.shortText('max_seq_id')
    writer.integer(maxSeqId)
  }

  // Only ids are memoized, so the n-th id is memo n: each is written once, and one object in Python, as it is there.
  writer.shortText('id_to_label')
  await writer.dict(idToLabel, ([id, label]) => {
    writer.shortText(id)
    writer.opcodes(Opcode.MEMOIZE)
    writer.integer(label)
    done()
  })
  writer.shortText('label_to_id')
  await writer.dict(idToLabel.values(), (label, index) => {
    writer.integer(label)
    writer.recall(index)
    done()
  })
  writer.shortText('id_to_seq_id')
  await writer.dict(idToLabel.keys(), (id, index) => {
    writer.recall(index)
    writer.integer(idToSeqId.get(id) ?? 0)
  })
  writer.opcodes(Opcode.SETITEMS, Opcode.BUILD, Opcode.STOP)
}

function counter(total: number, {onProgress, signal}: ScanOptions): () => void {
  let done = 0
  return () => {
    if (++done % PROGRESS_ENTRIES !== 0) return
    signal?.throwIfAborted()
    onProgress?.(done, total)
  }
}
