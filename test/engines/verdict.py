"""Check what an engine answers against what it must answer, go on writing, and say everything that is wrong."""
import sys
import traceback

import chromadb
import numpy as np

import engine
import exact_search
import snapshot as snapshots
from go_on_writing import go_on_writing

# Chroma normalises a cosine vector and multiplies by its norm on reading: float32 rounding, not a change.
RENORMALISED = 1e-6
# With twice the records and the same ef, a healthy index finds a little less.
GROWN = 0.03
SHOWN = 5


class Rules:
    """What may differ from the snapshot: changed spaces by name, embeddings that are renormalised, recall."""

    def __init__(self, spaces=None, tolerance=0.0, recall_tolerance=0.05):
        self.spaces = spaces or {}
        self.tolerance = tolerance
        self.recall_tolerance = recall_tolerance

    def space(self, key, before):
        return self.spaces.get(key) or self.spaces.get(key.rsplit("/", 1)[1]) or before

    def embedding_tolerance(self, space, before):
        return self.tolerance if "cosine" in (space, before) or space != before else 0.0


class Case:
    """One collection of the snapshot: what it must hold, and how near its answers were."""

    def __init__(self, described, rules):
        self.described = described
        self.key = key_of(described["tenant"], described["database"], described["name"])
        self.records = snapshots.decode_records(described["records"])
        self.queries = [snapshots.decode(query["vector_b64"]) for query in described["queries"]]
        answers = [(query["ids"], query["distances"]) for query in described["queries"]]
        vectors = self.vectors()
        before = exact_search.space_of(self.queries, answers, vectors)
        if answers and before is None:
            raise ValueError(f"{self.key}: the distances of the snapshot are those of no space")
        self.recall = exact_search.recall(before, self.queries, answers, vectors) if before else 1.0
        self.space = rules.space(self.key, before)
        self.tolerance = rules.embedding_tolerance(self.space, before)
        self.recall_tolerance = rules.recall_tolerance

    def vectors(self):
        return {id: record["embedding"] for id, record in self.records.items()}


def key_of(tenant, database, name):
    return f"{tenant}/{database}/{name}"


class Problems(list):
    """Problems of one collection, each one sentence that begins with the collection."""

    def __init__(self, key):
        super().__init__()
        self.key = key
        self.step = ""

    def say(self, text):
        self.append(f"{self.key}: {self.step}: {text}")

    def ids(self, what, ids):
        ids = sorted(ids)
        if ids:
            more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
            self.say(f"{len(ids)} {what}: {', '.join(map(repr, ids[:SHOWN]))}{more}")

    def attempt(self, step, do, *arguments):
        """Run a step of the check; an error the engine raises is a finding as well, not the end."""
        self.step = step
        print(f"step: {self.key}: {step}", file=sys.stderr, flush=True)
        try:
            return do(*arguments)
        except Exception as error:
            traceback.print_exc()
            self.say(f"{type(error).__name__}: {error}")
            return None


def judge(persist, expected, rules, go_on):
    cases = {case.key: case for case in (Case(described, rules) for described in expected["collections"])}
    opened = {key_of(t, d, c.name): (t, d, c) for t, d, c in engine.list_collections(persist)}
    problems = [f"{key}: the engine does not list this collection" for key in sorted(cases.keys() - opened.keys())]
    problems += [f"{key}: the engine lists a collection that must not be" for key in sorted(opened.keys() - cases.keys())]
    state = []
    for key in sorted(cases.keys() & opened.keys()):
        tenant, database, collection = opened[key]
        found, case = Problems(key), cases[key]
        check(collection, case, found, "as changed")
        if go_on:
            found.attempt("going on writing", go_on_writing, persist, collection, case, found)
            case.tolerance = max(case.tolerance, RENORMALISED if case.space == "cosine" else 0)
            case.recall_tolerance += GROWN
            answers = check(collection, case, found, "after writing")
            state.append(state_of(case, answers or []))
        problems += found
    verdict = {"chroma_version": chromadb.__version__, "ok": not problems, "problems": problems}
    if go_on:
        verdict["state"] = {"chroma_version": chromadb.__version__, "collections": state}
    return verdict


def state_of(case, answers):
    """The snapshot that the next process must find: the model's records, the engine's own answers."""
    return {
        **case.described,
        "count": len(case.records),
        "records": snapshots.encode_records(case.records),
        "queries": [
            {"vector_b64": snapshots.encode(vector), "ids": ids, "distances": distances}
            for vector, (ids, distances) in zip(case.queries, answers)
        ],
    }


def check(collection, case, found, when):
    """Every comparison of one collection with its case. Returns the answers to the case's queries."""
    found.attempt(f"{when}, count", check_count, collection, case, found)
    found.attempt(f"{when}, records", check_records, collection, case, found)
    answers = found.attempt(f"{when}, query", check_queries, collection, case, found)
    found.attempt(f"{when}, where", check_where, collection, case, found)
    found.attempt(f"{when}, $contains", check_contains, collection, case, found)
    return answers


def check_count(collection, case, found):
    count = collection.count()
    if count != len(case.records):
        found.say(f"counts {count} records instead of {len(case.records)}")


def check_records(collection, case, found):
    records, unreadable = read_records(collection, case)
    found.ids("records cannot be read", unreadable)
    found.ids("records are missing", case.records.keys() - records.keys() - unreadable)
    found.ids("records should not exist", records.keys() - case.records.keys())
    wrong = {"embedding": [], "document": [], "metadata": []}
    for id in records.keys() & case.records.keys():
        is_, must_be = records[id], case.records[id]
        if not same_vector(is_["embedding"], must_be["embedding"], case.tolerance):
            wrong["embedding"].append(id)
        for field in ("document", "metadata"):
            if is_[field] != must_be[field]:
                wrong[field].append(id)
    for field, ids in wrong.items():
        found.ids(f"records have another {field}", ids)


def read_records(collection, case):
    """All records; when the engine cannot read them at once, all but the ids it fails on."""
    try:
        return engine.read_records(collection), set()
    except Exception:
        traceback.print_exc()
    records, unreadable = {}, set()
    parts = [sorted(case.records)]
    while parts:
        ids = parts.pop()
        try:
            records.update(engine.read_some(collection, ids))
        except Exception:
            if len(ids) == 1:
                unreadable.update(ids)
            else:
                parts += [ids[: len(ids) // 2], ids[len(ids) // 2 :]]
    return records, unreadable


def same_vector(is_, must_be, tolerance):
    if is_ is None or is_.shape != must_be.shape:
        return False
    if is_.tobytes() == must_be.tobytes():
        return True
    # Not <=, so that a NaN is a difference.
    off = np.abs(is_.astype("f8") - must_be).max()
    return bool(tolerance and off <= tolerance * np.linalg.norm(must_be.astype("f8")))


def check_queries(collection, case, found):
    if not case.records:
        return []
    if not case.queries:
        case.queries = snapshots.make_queries(case.vectors(), 1)
    vectors = case.vectors()
    answers = engine.query(collection, case.queries, min(snapshots.K, len(vectors)))
    returned = {id for ids, _ in answers for id in ids}
    found.ids("ids are returned that should not exist", returned - vectors.keys())
    short = [ids for ids, _ in answers if len(set(ids)) < min(snapshots.K, len(vectors))]
    if short and engine.ANSWERS_IN_FULL:
        found.say(f"{len(short)} of {len(answers)} queries return too few ids")
    if any(len(ids) > len(set(ids)) for ids, _ in answers):
        found.say("a query returns an id twice")
    if any(list(distances) != sorted(distances) for _, distances in answers):
        found.say("distances are not ascending")
    case.space = case.space or exact_search.space_of(case.queries, answers, vectors)
    if case.space is None:
        found.say("the distances are those of no space")
        return answers
    wrong = exact_search.wrong_distances(case.space, case.queries, answers, vectors)
    if wrong:
        n, id, given, exact = wrong[0]
        found.say(
            f"{len(wrong)} distances are not those of {case.space}: query {n} has {id!r} at {given:.7g}, "
            f"exactly {exact:.7g}"
        )
    recall = exact_search.recall(case.space, case.queries, answers, vectors)
    if recall < case.recall - case.recall_tolerance:
        found.say(f"recall@{snapshots.K} is {recall:.3f}, was {case.recall:.3f} (tolerance {case.recall_tolerance:g})")
    return answers


def check_where(collection, case, found):
    """For a few metadata values: get and query return exactly the records that have them."""
    for key, value in metadata_samples(case.records):
        where = {key: value}
        must_be = {id for id, record in case.records.items() if has(record["metadata"], key, value)}
        got = set(collection.get(where=where, include=[])["ids"])
        found.ids(f"records are not found where {where}", must_be - got)
        found.ids(f"records are found wrongly where {where}", got - must_be)
        if case.queries:
            k = min(3, len(must_be))
            (ids, _), = engine.query(collection, case.queries[:1], k, where)
            found.ids(f"ids are returned by a query where {where}", set(ids) - must_be)
            if len(set(ids)) < k and engine.ANSWERS_IN_FULL:
                found.say(f"a query where {where} returns {len(set(ids))} ids instead of {k}")


def metadata_samples(records, limit=3):
    """The first value of each of the first few metadata keys, in the order of the ids."""
    samples, floats = {}, set()
    for id in sorted(records):
        for key, value in sorted((records[id]["metadata"] or {}).items()):
            if isinstance(value, float):
                floats.add(key)
            elif isinstance(value, (bool, int, str)):
                samples.setdefault(key, value)
    # In JSON from JavaScript a whole float looks like an int, which Chroma would not find.
    return [sample for sample in samples.items() if sample[0] not in floats][:limit]


def has(metadata, key, value):
    held = (metadata or {}).get(key)
    return held == value and type(held) is type(value)


def check_contains(collection, case, found):
    """For a few words of the documents: the full-text index finds exactly the documents that hold them."""
    documents = {id: record["document"] for id, record in case.records.items() if record["document"]}
    for word in words(documents):
        # SQLite's trigram tokenizer folds case.
        must_be = {id for id, document in documents.items() if word.casefold() in document.casefold()}
        got = set(collection.get(where_document={"$contains": word}, include=[])["ids"])
        found.ids(f"documents with {word!r} are not found", must_be - got)
        found.ids(f"documents without {word!r} are found", got - must_be)


def words(documents):
    """A few words to look for: the first, the middle and the last document's longest of letters and digits."""
    ids = sorted(documents)
    chosen = {ids[0], ids[len(ids) // 2], ids[-1]} if ids else set()
    longest = {max((w for w in documents[id].split() if w.isalnum()), key=len, default="") for id in chosen}
    return sorted(word for word in longest if len(word) >= 3)
