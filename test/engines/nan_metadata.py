"""Metadata with NaN, which JSON does not have: `nan_metadata.py write DIR` adds records, `read DIR` reads and goes on."""

import json
import sys

import chromadb
from chromadb.config import Settings

DIMENSION = 3
RECORDS = 20

command, directory = sys.argv[1:]
client = chromadb.PersistentClient(path=directory, settings=Settings(anonymized_telemetry=False))
collection = client.get_or_create_collection("measured")
vectors = [[float(i), 1.0, 2.0] for i in range(RECORDS)]

if command == "write":
    values = [{"value": float("nan") if i % 2 else 1.5} for i in range(RECORDS)]
    collection.add(ids=[f"m{i}" for i in range(RECORDS)], embeddings=vectors, metadatas=values)
else:
    found = collection.get(include=["embeddings", "metadatas"])
    stored = {id: [float(x) for x in vector] for id, vector in zip(found["ids"], found["embeddings"])}
    nearest = collection.query(query_embeddings=[vectors[3]], n_results=1)["ids"][0]
    collection.add(ids=["new"], embeddings=[vectors[0]])
    print(json.dumps({"stored": stored, "nearest": nearest, "count": collection.count()}))
