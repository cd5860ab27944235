"""Write to one collection until stdin ends: keep_writing.py PERSIST

Record number i has the id str(i), the vector [i, ...] and the document "document i", and they are added in their order, so
that what another program reads meanwhile can be told from what there was at no instant. Each batch that Chroma has
acknowledged is a line with the number of records.
"""
import sys
import threading
import time

import engine

BATCH = 20
DIMENSION = 8
# Small, so that the index is written to disk again and again.
THRESHOLD = 100
# How long a directory may be locked against this writer.
PATIENCE = 60


def main(persist):
    client = engine.open_client(persist)
    collection = client.create_collection(
        "written", metadata={"hnsw:space": "l2", "hnsw:batch_size": THRESHOLD // 2, "hnsw:sync_threshold": THRESHOLD}
    )
    stopped = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
    count = 0
    while not stopped.is_set():
        add(collection, range(count, count + BATCH))
        count += BATCH
        print(count, flush=True)


def add(collection, numbers):
    """Add a batch; where the lock of a reader outlasts Chroma's patience it has added nothing, and says so."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return collection.add(
                ids=[str(i) for i in numbers],
                embeddings=[[float(i)] * DIMENSION for i in numbers],
                documents=[f"document {i}" for i in numbers],
                metadatas=[{"number": i} for i in numbers],
            )
        except Exception as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


main(sys.argv[1])
