"""Documents with a NUL character, under an engine: `nul.py write DIR`, or `nul.py go_on DIR NAME` after a change by chops.

`go_on` prints as JSON what the engine finds, and what its SQLite says of the full-text index, before and after it updates and
deletes those records.
"""

import json
import sqlite3
import sys

import chromadb
from chromadb.config import Settings

WORDS = ("before", "behind", "plain", "changed", "again", "hidden")


def client(path):
    return chromadb.PersistentClient(path=path, settings=Settings(anonymized_telemetry=False))


def write(path):
    collection = client(path).create_collection("nul")
    collection.add(
        ids=["a", "b", "c", "d", "e"],
        embeddings=[[1.0, float(i)] for i in range(5)],
        documents=["before\0behind", "plain words", "\0behind", "be\0behind", "before\0behind\0behind"],
    )


def go_on(path, name):
    before = verdict(path)
    collection = client(path).get_collection(name)
    documents = dict(zip(*(collection.get(include=["documents"])[key] for key in ("ids", "documents"))))
    found = search(collection)
    # With embeddings, which it would otherwise make by a model that it has to download first.
    collection.update(ids=["a", "c"], embeddings=[[2.0, 1.0]] * 2, documents=["changed", "again\0hidden"])
    collection.delete(ids=["d", "e"])
    print(
        json.dumps(
            {
                "before": before,
                "documents": documents,
                "found": found,
                "foundLater": search(collection),
                "later": verdict(path),
            }
        )
    )


def search(collection):
    return {word: sorted(collection.get(where_document={"$contains": word}, include=[])["ids"]) for word in WORDS}


def verdict(path):
    """Of the SQLite of this Python, which is that of a Python engine. A Rust engine brings its own, which ends at a NUL."""
    connection = sqlite3.connect(f"{path}/chroma.sqlite3")
    table = "embedding_fulltext_search"
    judges = chromadb.__version__.startswith("0.") or sqlite3.sqlite_version_info < (3, 47)
    try:
        if judges:
            connection.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('integrity-check', 1)")
        complaint = None
    except sqlite3.DatabaseError as error:
        complaint = str(error)
    connection.execute(f"CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, {table}, instance)")
    of_nothing = f"SELECT COUNT(*) FROM temp.words WHERE doc NOT IN (SELECT id FROM {table}_content)"
    left = connection.execute(of_nothing).fetchone()[0]
    connection.rollback()
    connection.close()
    return {"complaint": complaint, "wordsOfNothing": left}


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"go_on": go_on, "write": write}[command](*arguments)
