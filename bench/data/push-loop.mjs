// The least that pushing takes: push-loop.mjs RECORDS VECTORS HOST PORT NAME. The official client in a bare loop, with as
// many records in a request and as many requests at once as chops sends; nothing is read from Chroma's files or compared.
import {ChromaClient} from 'chromadb'
import {readFile} from 'node:fs/promises'

const BATCH = 1000
const AT_ONCE = 4

const [recordsFile, vectorsFile, host, port, name] = process.argv.slice(2)
const {dimension, documents, ids, metadatas} = JSON.parse(await readFile(recordsFile, 'utf8'))
const vectors = new Float32Array(new Uint8Array(await readFile(vectorsFile)).buffer)
const client = new ChromaClient({host, port: Number(port), ssl: false})
const collection = await client.createCollection({embeddingFunction: null, name})

let next = 0
await Promise.all(
  Array.from({length: AT_ONCE}, async () => {
    while (next < ids.length) {
      const from = next
      const to = Math.min(from + BATCH, ids.length)
      next = to
      await collection.add({
        documents: documents.slice(from, to),
        embeddings: ids
          .slice(from, to)
          .map((_, at) => [...vectors.subarray((from + at) * dimension, (from + at + 1) * dimension)]),
        ids: ids.slice(from, to),
        metadatas: metadatas.slice(from, to),
      })
    }
  }),
)
