"""A persist directory as the chromadb of this interpreter (0.4.24 to 1.5) serves it.

What differs from one Chroma to the next in opening, listing and reading is kept here, so that the rest of the harness
reads the same for every engine. Nothing here needs an embedding model: every vector is given or read.
"""
import glob
import os
import sqlite3

os.environ["ANONYMIZED_TELEMETRY"] = "False"

import chromadb
import numpy as np
from chromadb.config import Settings

VERSION = tuple(int(part) for part in chromadb.__version__.split(".")[:3])
DEFAULT = ("default_tenant", "default_database")
PAGE = 5000
# Where 0.4 merges the index with pending deletes, a query may return one id too many or a few too few.
ANSWERS_IN_FULL = VERSION >= (0, 5, 0)
# hnswlib raises where a search, as a filtered one, finds too few, and the engines in Python let it.
MAY_GIVE_UP = VERSION < (1, 0, 0)


def settings(persist):
    """The same settings for every client of a directory: Chroma refuses a second client that differs in any."""
    return Settings(
        anonymized_telemetry=False, allow_reset=True, is_persistent=True, persist_directory=persist
    )


def open_client(persist, tenant=DEFAULT[0], database=DEFAULT[1]):
    return chromadb.PersistentClient(
        path=persist, settings=settings(persist), tenant=tenant, database=database
    )


def list_collections(persist):
    """Every (tenant, database, collection) the engine lists, over all tenants and databases."""
    clients = {DEFAULT: open_client(persist)}
    # No engine lists tenants; the table is read once the engine has migrated the directory.
    with sqlite3.connect(os.path.join(persist, "chroma.sqlite3")) as db:
        places = db.execute("SELECT tenant_id, name FROM databases ORDER BY tenant_id, name").fetchall()
    db.close()
    found = []
    for place in places:
        client = clients.get(place) or open_client(persist, *place)
        for listed in client.list_collections():
            # 0.6 lists names, every other generation collections.
            name = listed if isinstance(listed, str) else listed.name
            found.append((*place, client.get_collection(name)))
    return sorted(found, key=lambda item: (item[0], item[1], item[2].name))


def read_records(collection, page=PAGE):
    """All records of a collection by id: {"embedding": float32 array or None, "document", "metadata"}."""
    records = {}
    offset = 0
    while True:
        got = collection.get(
            include=["embeddings", "metadatas", "documents"], limit=page, offset=offset
        )
        records.update(_records_of(got))
        if len(got["ids"]) < page:
            return records
        offset += page


def read_some(collection, ids):
    return _records_of(collection.get(ids=ids, include=["embeddings", "metadatas", "documents"]))


def _records_of(got):
    embeddings = got["embeddings"]
    return {
        id: {
            "embedding": None if embeddings[i] is None else np.asarray(embeddings[i], dtype="<f4"),
            "document": got["documents"][i],
            "metadata": got["metadatas"][i],
        }
        for i, id in enumerate(got["ids"])
    }


def query(collection, vectors, k, where=None):
    """The engine's nearest k of each vector: a list of (ids, distances)."""
    arguments = {"where": where} if where else {}
    try:
        got = collection.query(
            query_embeddings=[v.tolist() for v in vectors], n_results=k, include=["distances"], **arguments
        )
    except RuntimeError as error:
        if not MAY_GIVE_UP or "contigious 2D array" not in str(error):
            raise
        return [([], []) for _ in vectors]
    return [(ids, [float(d) for d in ds]) for ids, ds in zip(got["ids"], got["distances"])]


def sync_threshold(collection):
    """After how many log records this collection's index is written to disk, as the engine itself reports it."""
    value = (collection.metadata or {}).get("hnsw:sync_threshold")
    if value is None and VERSION >= (1, 0, 0):
        value = (collection.configuration_json.get("hnsw") or {}).get("sync_threshold")
    return int(value or 1000)


def index_written(persist, collection):
    """When the collection's index was last written to disk (its newest pickle's mtime in ns), 0 if never."""
    with sqlite3.connect(os.path.join(persist, "chroma.sqlite3")) as db:
        rows = db.execute(
            "SELECT id FROM segments WHERE collection = ? AND scope = 'VECTOR'", (str(collection.id),)
        ).fetchall()
    db.close()
    pickles = [p for (id,) in rows for p in glob.glob(os.path.join(persist, id, "index_metadata.pickle"))]
    return max((os.stat(p).st_mtime_ns for p in pickles), default=0)
