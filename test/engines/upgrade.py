"""Open a directory that an older Chroma wrote, which migrates it, and touch every collection."""
import chromadb
import numpy as np

import engine


def upgrade(persist, write):
    counts = []
    for tenant, database, collection in engine.list_collections(persist):
        some = collection.get(limit=1, include=["embeddings"])
        if some["ids"]:
            vector = np.asarray(some["embeddings"][0], dtype="<f4")
            if write:
                write_a_little(collection, vector)
            engine.query(collection, [vector], 1)
        counts.append({"tenant": tenant, "database": database, "name": collection.name, "count": collection.count()})
    return {"chroma_version": chromadb.__version__, "collections": counts}


def write_a_little(collection, vector):
    """Five records more, one changed and one deleted: mixed generations, as upgrades leave them."""
    ids = [f"upgraded-{i}" for i in range(5)]
    vectors = [(vector * (1 + i / 8)).tolist() for i in range(5)]
    collection.add(ids=ids, embeddings=vectors, documents=ids, metadatas=[{"upgraded": True}] * 5)
    collection.update(ids=ids[:1], embeddings=vectors[-1:])
    collection.delete(ids=ids[1:2])
