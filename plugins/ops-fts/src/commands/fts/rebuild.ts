import {changeFlags, ChopsCommand, persistDirArg} from '@chops/core/command'
import * as Flags from '@oclif/core/flags'

import {doneText, planTable, questionText} from '../../render/rebuild.js'
import {
  type FtsRebuildResult,
  planFtsRebuild,
  rebuildFullText,
  requireRoomForFts,
  tokenizerNote,
} from '../../services/rebuild.js'

const STEPS = {
  drop: 'Dropping the old index',
  fill: 'Indexing documents',
  merge: 'Merging',
  verify: 'Checking the new index',
}

export default class FtsRebuild extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Drops the full-text index (the table embedding_fulltext_search) and builds it anew from the documents, in one transaction: one row for each document. It works when the table, or one of the tables that SQLite keeps it in, is missing or malformed. At the end SQLite checks the new index; until then the old one stays.

The tokenizer takes the options that SQLite defines for it, as in "unicode61 remove_diacritics 2" (https://www.sqlite.org/fts5.html#tokenizers). Chroma's $contains expects trigram.

Stop Chroma first.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma',
      description: 'Rebuild the index as Chroma creates it:',
    },
    {
      command:
        '<%= config.bin %> <%= command.id %> ./chroma --tokenizer "unicode61 remove_diacritics 2" --dry-run',
      description: 'Try another tokenizer, without changing anything:',
    },
  ]

  static override flags = {
    ...changeFlags,
    tokenizer: Flags.string({
      char: 't',
      default: 'trigram',
      description: 'tokenizer of FTS5 with its options: trigram, unicode61, ascii, porter',
      helpValue: 'TOKENIZER',
    }),
  }

  static override summary = 'Rebuild the full-text index, whatever state it is in.'

  override async run(): Promise<FtsRebuildResult> {
    const {args, flags} = await this.parse(FtsRebuild)
    const dir = await this.open(args.PERSIST_DIR)
    const plan = await this.withProgress('Counting the documents', () => planFtsRebuild(dir, flags.tokenizer))
    await this.table(planTable(plan))
    const note = tokenizerNote(plan)
    if (note !== undefined) this.warn(note)
    if (!flags['dry-run']) await requireRoomForFts(plan)
    const decision = await this.approve(dir, flags, questionText(plan))
    if (decision !== 'approved') return {...plan, status: decision}
    const {result, warnings} = await this.runSteps(
      STEPS,
      (onStep) => rebuildFullText(plan, {force: flags.force, onStep, signal: this.signal}),
      {units: {fill: 'documents'}},
    )
    for (const warning of warnings) this.warn(warning)
    this.log(doneText(result))
    return result
  }
}
