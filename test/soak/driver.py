#!/usr/bin/env python3
"""Serve one persist directory through the chromadb of this interpreter.

A JSON request a line on stdin, its JSON answer a line on stdout: {"ok": ...} or {"error": text}. What the engine prints goes
to stderr. At the end of stdin the process ends, and with it everything that the engine has open.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "engines"))

import base64
import faulthandler
import json
import traceback


def main():
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    faulthandler.enable()
    served = Served(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": getattr(served, request.pop("do"))(**request)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    # Destructors of native clients have nothing to add, but may take long or crash.
    sys.stderr.flush()
    os._exit(0)


class Served:
    def __init__(self, persist):
        import chromadb
        import engine

        self.engine = engine
        self.persist = persist
        # The first client migrates the directory, before an admin client may look at it.
        self.clients = {engine.DEFAULT: engine.open_client(persist)}
        self.admin = chromadb.AdminClient(engine.settings(persist))

    def client(self, tenant, database):
        if (tenant, database) not in self.clients:
            if_missing(self.admin.get_tenant, self.admin.create_tenant, tenant)
            if_missing(self.admin.get_database, self.admin.create_database, database, tenant=tenant)
            self.clients[tenant, database] = self.engine.open_client(self.persist, tenant, database)
        return self.clients[tenant, database]

    def collection(self, place):
        return self.client(*place[:2]).get_collection(place[2])

    def create(self, place, metadata):
        self.client(*place[:2]).create_collection(place[2], metadata=metadata)

    def drop(self, place):
        self.client(*place[:2]).delete_collection(place[2])

    def add(self, place, **content):
        self.collection(place).add(**content)

    def update(self, place, **content):
        self.collection(place).update(**content)

    def upsert(self, place, **content):
        self.collection(place).upsert(**content)

    def delete(self, place, ids):
        self.collection(place).delete(ids=ids)

    def dump(self):
        """Every collection with its count and records."""
        return [
            {
                "place": [tenant, database, collection.name],
                "count": collection.count(),
                "records": {id: encoded(record) for id, record in self.engine.read_records(collection).items()},
            }
            for tenant, database, collection in self.engine.list_collections(self.persist)
        ]

    def query(self, place, vectors, k):
        import numpy as np

        answers = self.engine.query(self.collection(place), [np.asarray(v, dtype="<f4") for v in vectors], k)
        return [{"ids": ids, "distances": distances} for ids, distances in answers]


def encoded(record):
    embedding = record["embedding"]
    base = None if embedding is None else base64.b64encode(embedding.tobytes()).decode()
    return {**record, "embedding": base}


def if_missing(get, create, *arguments, **named):
    try:
        get(*arguments, **named)
    except Exception:
        create(*arguments, **named)


main()
