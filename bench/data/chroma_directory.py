"""Let Chroma write a persist directory with one collection, docs: chroma_directory.py DIR RECORDS DIMENSION DELETED THRESHOLD WORDS

The vectors lie in clusters, as embeddings do. DELETED of the records are deleted again. With a THRESHOLD beyond the
number of writes there is no index, and everything is in the log. With WORDS each record has a document of so many, from
2000 words that are as unequally common as those of a language, and four values of metadata.
"""
import sys

import chromadb
import numpy as np
from chromadb.config import Settings

CLUSTERS = 200
BATCH = 5000
VOCABULARY = 2000
LETTERS = list("abcdefghijklmnoprstuvw")


def main(folder, records, dimension, deleted, threshold, words):
    client = chromadb.PersistentClient(folder, Settings(anonymized_telemetry=False))
    parameters = {"hnsw:space": "cosine", "hnsw:M": 16, "hnsw:construction_ef": 100, "hnsw:sync_threshold": threshold}
    if threshold > records:
        parameters["hnsw:batch_size"] = threshold
    collection = client.create_collection("docs", metadata=parameters)
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(CLUSTERS, dimension))
    ids = [f"record-{i}" for i in range(records)]
    text = np.random.default_rng(2)
    for first in range(0, records, BATCH):
        some = ids[first : first + BATCH]
        near = centres[rng.integers(0, CLUSTERS, len(some))]
        vectors = near + 0.6 * rng.normal(size=near.shape)
        contents = describe(text, first, len(some), words) if words else {}
        collection.add(ids=some, embeddings=vectors.astype("<f4").tolist(), **contents)
    gone = [str(id) for id in rng.permutation(ids)[:deleted]]
    for first in range(0, deleted, BATCH):
        collection.delete(ids=gone[first : first + BATCH])


def describe(rng, first, count, words):
    vocabulary = np.random.default_rng(3)
    known = ["".join(vocabulary.choice(LETTERS, vocabulary.integers(2, 10))) for _ in range(VOCABULARY)]
    common = 1 / np.arange(1, VOCABULARY + 1)
    chosen = rng.choice(VOCABULARY, (count, words), p=common / common.sum())
    return {
        "documents": [" ".join(known[i] for i in row) for row in chosen],
        "metadatas": [
            {"number": i, "third": i / 3, "even": i % 2 == 0, "round": float(i)} for i in range(first, first + count)
        ],
    }


main(sys.argv[1], *map(int, sys.argv[2:]))
