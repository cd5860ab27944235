"""Go on writing to a collection as its users would, far enough that the engine writes its index to disk."""
import itertools

import numpy as np

import engine

BATCH = 250
# Beyond the threshold: up to 0.6 an engine writes only full batches (of 100 by default) to the index.
MARGIN = 110
MOST = 1200
# How many of the added records get a document and metadata: the threshold needs many records, the tables only some.
DESCRIBED = 60
# How many of the added records a query looks for, and the share of them it may miss: HNSW is approximate.
LOOKED_FOR = 60
MAY_MISS = 0.1


def go_on_writing(persist, collection, case, found):
    """Update, delete, upsert, add and re-add; keep case.records in step; find what was added."""
    model = Model(collection, case)
    old = sorted(case.records)
    written_before = engine.index_written(persist, collection)
    model.update(old[1:40:3])
    model.update_metadata(old[2:40:3])
    gone = old[3:40:4]
    model.delete(gone)
    model.upsert(old[4:40:9] + ["judge-upserted"])
    threshold = engine.sync_threshold(collection)
    first = next_number(old)
    added = [f"judge-{first + i}-ü" for i in range(min(threshold + MARGIN, MOST))]
    model.add(added[:DESCRIBED])
    model.add(added[DESCRIBED:], plain=True)
    look_for(collection, case, found, added)
    # The deletes are in the index by now: 0.4 forgets an id that is added again
    # while its delete is still in the same batch.
    model.add(gone[:3])
    model.delete(added[5:9])
    model.update(added[10:12])
    if threshold + MARGIN <= MOST and engine.index_written(persist, collection) <= written_before:
        found.say(f"the engine did not write the index after {len(added)} records, its threshold being {threshold}")


def next_number(ids):
    """A directory may have been judged before."""
    numbers = [int(id.split("-")[1]) for id in ids if id.startswith("judge-") and id != "judge-upserted"]
    return max(numbers, default=-1) + 1


def look_for(collection, case, found, added):
    """Every added record is read back by id, and found by a query for its own vector."""
    read = engine.read_some(collection, added)
    found.ids("new records cannot be read back", set(added) - read.keys())
    if case.space == "ip":
        # The nearest by inner product is whichever vector is long, rarely the record itself: recall tells.
        return
    sample = added[:: max(1, len(added) // LOOKED_FOR)]
    answers = engine.query(collection, [case.records[id]["embedding"] for id in sample], 3)
    missed = [id for id, (ids, _) in zip(sample, answers) if id not in ids]
    if len(missed) > MAY_MISS * len(sample):
        found.ids(f"of {len(sample)} new records are not found by their own vector", missed)


class Model:
    """Does each operation twice: in the engine, and in the records that it must then have."""

    def __init__(self, collection, case):
        self.collection = collection
        self.records = case.records
        self.rng = np.random.default_rng(len(case.records))
        self.numbers = itertools.count()
        vectors = case.vectors()
        self.base = np.stack(list(vectors.values())) if vectors else self.rng.normal(size=(8, dimension(collection)))
        self.noise = 0.3 * float(np.std(self.base))
        # A collection of vectors alone stays one.
        self.plain = bool(vectors) and not any(r["document"] or r["metadata"] for r in case.records.values())

    def add(self, ids, plain=False):
        for k in range(0, len(ids), BATCH):
            part = ids[k : k + BATCH]
            self.collection.add(ids=part, **self.content(part, plain))

    def update(self, ids):
        if ids:
            self.collection.update(ids=ids, **self.content(ids))

    def upsert(self, ids):
        self.collection.upsert(ids=ids, **self.content(ids))

    def update_metadata(self, ids):
        """A log row without a vector."""
        if ids and not self.plain:
            changed = [{"judged": True} for _ in ids]
            self.collection.update(ids=ids, metadatas=changed)
            for id, metadata in zip(ids, changed):
                self.records[id]["metadata"] = {**(self.records[id]["metadata"] or {}), **metadata}

    def delete(self, ids):
        if ids:
            self.collection.delete(ids=ids)
            for id in ids:
                del self.records[id]

    def content(self, ids, plain=False):
        """New vectors near old ones, with a document and metadata; the model is told."""
        plain = plain or self.plain
        near = self.base[self.rng.integers(0, len(self.base), len(ids))]
        vectors = (near + self.noise * self.rng.normal(size=near.shape)).astype("<f4")
        numbers = list(itertools.islice(self.numbers, len(ids)))
        documents = [None if plain else f"judge word{n} naïveté" for n in numbers]
        # Quarters: 1.x keeps a float only to its last bit but one when it has no short binary form.
        metadatas = [None if plain else {"judge": n, "quarter": n / 4, "odd": n % 2 == 1} for n in numbers]
        for id, vector, document, metadata in zip(ids, vectors, documents, metadatas):
            # Metadata of a known id is merged, key by key.
            known = (self.records.get(id) or {}).get("metadata")
            merged = metadata if known is None else {**known, **(metadata or {})}
            self.records[id] = {"embedding": vector, "document": document, "metadata": merged}
        content = {"embeddings": vectors.tolist()}
        if not plain:
            content.update(documents=documents, metadatas=metadatas)
        return content


def dimension(collection):
    """Of a collection without records: what the engine has fixed already, or any."""
    model = getattr(collection, "_model", None)
    known = model["dimension"] if isinstance(model, dict) else getattr(model, "dimension", None)
    return known or 8
