"""The comparisons of one collection, as the engine serves it, with what it must hold."""
import traceback

import numpy as np

import engine
import exact_search
import snapshot as snapshots


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
            if len(set(ids)) < k and case.own_index:
                k = min(k, len(reached(collection, case, where, must_be)))
            gave_up = engine.MAY_GIVE_UP and not ids
            if len(set(ids)) < k and engine.ANSWERS_IN_FULL and not gave_up:
                found.say(f"a query where {where} returns {len(set(ids))} ids instead of {k}")


def reached(collection, case, where, ids):
    """Those of the records with this metadata that a filtered query finds, if only for the record's own vector.

    HNSW prunes links to an element when others come nearer, and may prune the last one. The element is then in the index,
    read back like any other, and found by no query: a filter is where that shows, since a search that may return few
    elements goes on until it has seen all that its graph leads to. Chroma 1.5.9 builds such graphs of 20,000 random vectors
    by itself, whether its client sends one request at a time or several: one query or another was short in two of twelve.
    """
    vectors = [case.records[id]["embedding"] for id in sorted(ids)]
    answers = engine.query(collection, vectors, len(ids), where)
    return {id for answered, _ in answers for id in answered} & ids


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
