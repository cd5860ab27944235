"""Write a persist directory as its users do: several spaces, much churn, two tenants, and log rows still pending."""
import os
import random

import chromadb
import numpy as np

import engine

WORDS = (
    "river stone café naïve über 東京 Ω vector index segment compaction tenant snapshot 'quoted' \"double\" "
    "%like% back\\slash emoji🙂 tab\tnew\nline"
).split(" ")
CLUSTERS = 12


class Writer:
    """Seeded vectors, documents and metadata, and the batches that bring them into a collection."""

    def __init__(self, seed, dim):
        self.rng = np.random.default_rng(seed)
        self.words = random.Random(seed)
        # Clusters of unlike norm: recall means something, and cosine, l2 and ip disagree about what is near.
        self.centres = self.rng.normal(size=(CLUSTERS, dim)) * self.rng.uniform(0.5, 3, (CLUSTERS, 1))

    def vectors(self, n):
        centres = self.centres[self.rng.integers(0, CLUSTERS, n)]
        return (centres + 0.4 * self.rng.normal(size=centres.shape)).astype("<f4").tolist()

    def metadata(self, i):
        if i % 11 == 0:
            return {"only": 1}
        m = {"i": i, "f": i / 3, "s": self.words.choice(WORDS), "even": i % 2 == 0}
        if i % 7 == 0:
            m["rare"] = f"r{i}"
        if engine.VERSION >= (1, 5, 0) and i % 5 == 0:
            m["tags"] = [self.words.choice("abc"), "z"]
        return m

    def document(self, i):
        return " ".join(self.words.choice(WORDS) for _ in range(6)) + f" number{i}"

    def content(self, numbers):
        return {
            "embeddings": self.vectors(len(numbers)),
            "metadatas": [self.metadata(i) for i in numbers],
            "documents": [self.document(i) for i in numbers],
        }

    def add(self, collection, numbers, batch=250):
        for k in range(0, len(numbers), batch):
            part = numbers[k : k + batch]
            collection.add(ids=[record_id(i) for i in part], **self.content(part))


def record_id(i):
    """Some ids are not ASCII, and one in ten holds a space and a slash."""
    if i % 10 == 3:
        return f"päth / 記録 {i}"
    return f"id-{i}"


def ids(numbers):
    return [record_id(i) for i in numbers]


def parameters(unit, space, **more):
    return {"hnsw:batch_size": max(2, unit // 2), "hnsw:sync_threshold": unit, "hnsw:space": space, **more}


def write_directory(persist, seed, scale, dim):
    """Write the whole directory; the unit of size, and the sync threshold of most collections, is 40 x scale."""
    os.makedirs(persist)
    unit = max(10, int(40 * scale))
    writer = Writer(seed, dim)
    client = engine.open_client(persist)
    churned = client.create_collection(
        "churned",
        metadata=parameters(
            unit, "cosine", owner="tests", **{"hnsw:M": 8, "hnsw:construction_ef": 80, "hnsw:search_ef": 60}
        ),
    )
    write_churned(writer, churned, unit)
    writer.add(client.create_collection("wal_only", metadata=parameters(unit, "l2")), range(unit // 2))
    write_inner_product(writer, client.create_collection("inner_product", metadata=parameters(unit, "ip")), unit)
    steady = client.create_collection("steady", metadata=parameters(unit, "l2"))
    # Two calls: 1.x writes the index at the end of the call that crosses the threshold, with all of it.
    writer.add(steady, range(unit * 3))
    writer.add(steady, range(unit * 3, unit * 3 + unit // 4))
    client.create_collection("empty", metadata=parameters(unit, "l2"))
    # Everything default, and so one index written at 1000 records and 37 more in the log.
    writer.add(client.create_collection("defaults"), range(1037))
    writer.add(client.create_collection("gone", metadata=parameters(unit, "l2")), range(unit * 2))
    client.delete_collection("gone")
    admin = chromadb.AdminClient(engine.settings(persist))
    admin.create_tenant("acme")
    admin.create_database("prod", tenant="acme")
    other = engine.open_client(persist, "acme", "prod")
    write_churned(writer, other.create_collection("churned", metadata=parameters(unit, "l2")), unit)


def write_churned(writer, collection, unit):
    """Adds, deletes of a third, updates, upserts, re-adds of deleted ids, and a tail that stays in the log."""
    writer.add(collection, range(unit * 5))
    deleted = range(1, unit * 5, 3)
    for k in range(0, len(deleted), 100):
        collection.delete(ids=ids(deleted[k : k + 100]))
    updated = range(0, unit, 3)
    collection.update(
        ids=ids(updated),
        embeddings=writer.vectors(len(updated)),
        metadatas=[{"updated": True, "i": i} for i in updated],
    )
    # A log row without a vector. (A new document alone would be embedded, which needs a model.)
    collection.update(ids=ids(range(2, unit, 3)), metadatas=[{"seen": i} for i in range(2, unit, 3)])
    # Far enough after the deletes that the index holds them: 0.4 forgets an id that is
    # added again while its delete is still in the same batch.
    writer.add(collection, range(unit * 5, unit * 7))
    writer.add(collection, deleted[: unit // 4])
    collection.upsert(ids=[record_id(2), "new-1"], **writer.content([2, 9001]))
    writer.add(collection, range(unit * 7, unit * 8))
    write_pending(writer, collection, unit)


def write_pending(writer, collection, unit):
    """The last few operations, of each kind, too few to be written to the index."""
    few = max(2, unit // 8)
    writer.add(collection, range(unit * 8, unit * 8 + few))
    collection.update(ids=ids([0, 6]), embeddings=writer.vectors(2))
    collection.upsert(ids=[record_id(9), "new-2"], **writer.content([9, 9002]))
    collection.delete(ids=ids([3, unit * 8]))


def write_inner_product(writer, collection, unit):
    """Vectors only: records without a document and without metadata."""
    vectors = writer.vectors(unit * 3 + 5)
    names = [f"v{i}" for i in range(len(vectors))]
    for some in (slice(0, unit * 3), slice(unit * 3, None)):
        collection.add(ids=names[some], embeddings=vectors[some])
    collection.delete(ids=names[: unit // 2])
