"""Writes a cosine collection of vectors from length 17 down to what f32 cannot hold, and persists it: `short_vectors.py DIR`."""

import sys

import chromadb
from chromadb.config import Settings

DIMENSION = 8
PERSISTED = 50

client = chromadb.PersistentClient(path=sys.argv[1], settings=Settings(anonymized_telemetry=False))
metadata = {"hnsw:space": "cosine", "hnsw:batch_size": PERSISTED // 2, "hnsw:sync_threshold": PERSISTED}
collection = client.create_collection("short", metadata=metadata)
vectors = [
    # Of length 1.7 * 10^-power: one of length 1e-30 is stored as one whose norm was lost.
    [1.7 * 10.0**-power * (0.6 if i == power % DIMENSION else 0.8 if i == (power + 3) % DIMENSION else 0) for i in range(DIMENSION)]
    for power in range(-1, 46)
]
vectors += [[0.0] * DIMENSION] * (2 * PERSISTED - len(vectors))
for start in range(0, len(vectors), PERSISTED // 2):
    some = vectors[start : start + PERSISTED // 2]
    collection.add(ids=[f"v{start + i}" for i in range(len(some))], embeddings=some)
