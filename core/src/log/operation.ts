/** `embeddings_queue.operation`, see `chromadb/types.py` and `rust/types/src/operation.rs`; a backfill is a marker to skip. */
export const OPERATION = {add: 0, backfill: 4, delete: 3, update: 1, upsert: 2} as const
