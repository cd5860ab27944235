"""What an engine answers about a whole directory, in the form of the fixtures' expected.json."""
import base64
import hashlib
import json

import chromadb
import numpy as np

import engine
import exact_search

QUERIES = 40
K = 10


def snapshot(persist, seed=1, with_records=True):
    found = [describe(*item, seed, with_records) for item in engine.list_collections(persist)]
    return {"chroma_version": chromadb.__version__, "collections": found}


def describe(tenant, database, collection, seed, with_records):
    records = engine.read_records(collection)
    vectors = {id: record["embedding"] for id, record in records.items()}
    queries = make_queries(vectors, seed)
    answers = engine.query(collection, queries, min(K, len(vectors)), None) if vectors else []
    space = exact_search.space_of(queries, answers, vectors)
    described = {
        "tenant": tenant,
        "database": database,
        "name": collection.name,
        "id": str(collection.id),
        "metadata": collection.metadata,
        "count": collection.count(),
        "space": space,
        "recall": exact_search.recall(space, queries, answers, vectors, K) if space else None,
        "digest": digest(records),
        "queries": [
            {"vector_b64": encode(vector), "ids": ids, "distances": distances}
            for vector, (ids, distances) in zip(queries, answers)
        ],
    }
    if with_records:
        described["records"] = encode_records(records)
    return described


def make_queries(vectors, seed):
    """Seeded queries near, but not at, records: a query far from everything tells little about a graph."""
    rng = np.random.default_rng(seed)
    ids = sorted(vectors)
    if not ids:
        return []
    chosen = [vectors[ids[i]] for i in rng.integers(0, len(ids), QUERIES)]
    noise = 0.3 * np.std(np.stack(chosen))
    return [(v + noise * rng.normal(size=v.shape)).astype("<f4") for v in chosen]


def digest(records):
    """SHA-256 over every record, ordered by id: equal when ids, vector bytes, documents and metadata are."""
    sha = hashlib.sha256()
    for id in sorted(records):
        record = records[id]
        embedding = record["embedding"]
        sha.update(b"" if embedding is None else embedding.tobytes())
        line = [id, record["document"], record["metadata"]]
        sha.update(json.dumps(line, sort_keys=True).encode() + b"\n")
    return sha.hexdigest()


def encode(vector):
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()


def decode(text):
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def encode_records(records):
    return [
        {
            "id": id,
            "embedding_b64": encode(record["embedding"]),
            "document": record["document"],
            "metadata": record["metadata"],
        }
        for id, record in records.items()
    ]


def decode_records(records):
    return {
        record["id"]: {
            "embedding": decode(record["embedding_b64"]),
            "document": record["document"],
            "metadata": record["metadata"],
        }
        for record in records
    }
