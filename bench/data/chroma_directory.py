"""Let Chroma write a persist directory with one collection, docs: chroma_directory.py DIR RECORDS DIMENSION DELETED THRESHOLD

The vectors lie in clusters, as embeddings do. DELETED of the records are deleted again. With a THRESHOLD beyond the
number of writes there is no index, and everything is in the log.
"""
import sys

import chromadb
import numpy as np
from chromadb.config import Settings

CLUSTERS = 200
BATCH = 5000


def main(folder, records, dimension, deleted, threshold):
    client = chromadb.PersistentClient(folder, Settings(anonymized_telemetry=False))
    parameters = {"hnsw:space": "cosine", "hnsw:M": 16, "hnsw:construction_ef": 100, "hnsw:sync_threshold": threshold}
    if threshold > records:
        parameters["hnsw:batch_size"] = threshold
    collection = client.create_collection("docs", metadata=parameters)
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(CLUSTERS, dimension))
    ids = [f"record-{i}" for i in range(records)]
    for first in range(0, records, BATCH):
        some = ids[first : first + BATCH]
        near = centres[rng.integers(0, CLUSTERS, len(some))]
        vectors = near + 0.6 * rng.normal(size=near.shape)
        collection.add(ids=some, embeddings=vectors.astype("<f4").tolist())
    gone = [str(id) for id in rng.permutation(ids)[:deleted]]
    for first in range(0, deleted, BATCH):
        collection.delete(ids=gone[first : first + BATCH])


main(sys.argv[1], *map(int, sys.argv[2:]))
