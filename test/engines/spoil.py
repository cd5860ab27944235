#!/usr/bin/env python3
"""Make one wrong change to a collection of a persist directory, as a faulty repair would: the harness must find each.

Usage: spoil.py DIR TENANT/DATABASE/NAME KIND      (standard library only; no Chroma is loaded)
"""
import json
import pickle
import sqlite3
import struct
import sys
import types
import uuid
from pathlib import Path

HEADER = struct.Struct("<i6QiI3QdQ")  # header.bin, chroma-core/hnswlib hnswlib/hnswalg.h


def swap_vectors(spoiled):
    """The vectors of the two newest live elements, one the other's."""
    data = spoiled.read("data_level0.bin")
    one, other = sorted(spoiled.live_rows(data), key=spoiled.label)[-2:]
    vector = slice(spoiled.header["offset_data"], spoiled.header["label_offset"])
    of_one, of_other = one[vector].tobytes(), other[vector].tobytes()
    one[vector], other[vector] = of_other, of_one
    spoiled.write("data_level0.bin", data)


def drop_log_row(spoiled):
    """An add that no index holds yet."""
    topic = f"%{spoiled.collection}"
    row = "SELECT seq_id FROM embeddings_queue WHERE topic LIKE ? AND operation = 0 ORDER BY seq_id LIMIT 1 OFFSET 3"
    spoiled.sql(f"DELETE FROM embeddings_queue WHERE seq_id = ({row})", topic)


def drop_label(spoiled):
    """A live element's label, together with what the log still has of the record."""
    index = spoiled.load_pickle()
    label = sorted(index["label_to_id"])[2]
    id = index["label_to_id"].pop(label)
    del index["id_to_label"][id]
    index["id_to_seq_id"].pop(id, None)
    spoiled.save_pickle()
    spoiled.sql("DELETE FROM embeddings_queue WHERE id = ? AND topic LIKE ?", id, f"%{spoiled.collection}")


def set_labels_back(spoiled):
    """total_elements_added, from which the next label comes, to the number of live ones: some are used twice."""
    index = spoiled.load_pickle()
    index["total_elements_added"] = len(index["id_to_label"])
    spoiled.save_pickle()


def change_space(spoiled):
    """The space in every place where some generation reads it, the index staying as it is."""
    spoiled.sql("DELETE FROM segment_metadata WHERE segment_id = ? AND key = 'hnsw:space'", spoiled.segment)
    spoiled.sql(
        "INSERT INTO segment_metadata (segment_id, key, str_value) VALUES (?, 'hnsw:space', 'ip')", spoiled.segment
    )
    for column in ("config_json_str", "schema_str"):
        if column in spoiled.columns("collections"):
            (text,), = spoiled.sql(f"SELECT {column} FROM collections WHERE id = ?", spoiled.collection)
            changed = (text or "").replace('"space":"l2"', '"space":"ip"').replace('"space": "l2"', '"space": "ip"')
            if text:
                json.loads(changed)
                spoiled.sql(f"UPDATE collections SET {column} = ? WHERE id = ?", changed, spoiled.collection)


def zero_lengths(spoiled):
    """The norms of a cosine index."""
    spoiled.write("length.bin", bytes(len(spoiled.read("length.bin"))))


def unlink(spoiled):
    """No link leads to the records of {"only": 1} any more: they are in the index, and no query finds them."""
    query = (
        "SELECT e.embedding_id FROM embeddings e JOIN embedding_metadata m ON m.id = e.id JOIN segments s "
        "ON s.id = e.segment_id WHERE s.collection = ? AND m.key = 'only'"
    )
    labels = spoiled.load_pickle()["id_to_label"]
    gone = {labels[id] for (id,) in spoiled.sql(query, spoiled.collection) if id in labels}
    data = spoiled.read("data_level0.bin")
    rows = spoiled.rows(data)
    unlinked = {i for i, row in enumerate(rows) if spoiled.label(row) in gone}
    for row in rows:
        (count,) = struct.unpack_from("<H", row)
        links = [link for link in struct.unpack_from(f"<{count}I", row, 4) if link not in unlinked]
        struct.pack_into("<H", row, 0, len(links))
        struct.pack_into(f"<{len(links)}I", row, 4, *links)
    spoiled.write("data_level0.bin", data)


def break_link(spoiled):
    """A link to an element far outside of the index, from every element: no engine looks before it follows."""
    data = spoiled.read("data_level0.bin")
    for row in spoiled.rows(data):
        row[4:8] = struct.pack("<I", 0x7FFFFFF0)
    spoiled.write("data_level0.bin", data)


KINDS = {
    "swap-vectors": swap_vectors,
    "drop-log-row": drop_log_row,
    "drop-label": drop_label,
    "set-labels-back": set_labels_back,
    "change-space": change_space,
    "zero-lengths": zero_lengths,
    "unlink": unlink,
    "break-link": break_link,
}


class Spoiled:
    """The collection's vector segment: its files, its pickle and its rows."""

    def __init__(self, directory, key):
        self.db = sqlite3.connect(Path(directory) / "chroma.sqlite3")
        found = self.sql(
            "SELECT s.id, c.id FROM segments s JOIN collections c ON c.id = s.collection JOIN databases d "
            "ON d.id = c.database_id WHERE s.scope = 'VECTOR' AND d.tenant_id || '/' || d.name || '/' || c.name = ?",
            key,
        )
        (self.segment, self.collection), = found
        self.folder = Path(directory) / str(uuid.UUID(self.segment))
        self.header = {}
        if (self.folder / "header.bin").exists():
            fields = HEADER.unpack(self.read("header.bin"))
            self.header = {"cur": fields[3], "size": fields[4], "label_offset": fields[5], "offset_data": fields[6]}

    def sql(self, statement, *values):
        with self.db:
            return self.db.execute(statement, values).fetchall()

    def columns(self, table):
        return [column[1] for column in self.sql(f"PRAGMA table_info({table})")]

    def read(self, name):
        return bytearray((self.folder / name).read_bytes())

    def write(self, name, data):
        (self.folder / name).write_bytes(data)

    def rows(self, data):
        size = self.header["size"]
        return [memoryview(data)[i * size : (i + 1) * size] for i in range(self.header["cur"])]

    def live_rows(self, data):
        return [row for row in self.rows(data) if not row[2] & 1]

    def label(self, row):
        return int.from_bytes(row[self.header["label_offset"] :][:8], "little")

    def load_pickle(self):
        """The pickle's fields; an object's class stays what it was, without importing Chroma."""
        path = "chromadb.segment.impl.vector.local_persistent_hnsw"
        names = path.split(".")
        for depth in range(1, len(names) + 1):
            sys.modules[".".join(names[:depth])] = types.ModuleType(".".join(names[:depth]))
        kept = type("PersistentData", (), {"__module__": path})
        sys.modules[path].PersistentData = kept
        self.loaded = pickle.loads((self.folder / "index_metadata.pickle").read_bytes())
        return self.loaded if isinstance(self.loaded, dict) else self.loaded.__dict__

    def save_pickle(self):
        protocol = 3 if isinstance(self.loaded, dict) else 5
        self.write("index_metadata.pickle", pickle.dumps(self.loaded, protocol))


if __name__ == "__main__":
    KINDS[sys.argv[3]](Spoiled(sys.argv[1], sys.argv[2]))
