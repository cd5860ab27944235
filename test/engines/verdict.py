"""Check what an engine answers against what it must answer, go on writing, and say everything that is wrong."""
import sys
import traceback

import chromadb

import engine
import exact_search
import snapshot as snapshots
from checks import check
from go_on_writing import go_on_writing

# Chroma normalises a cosine vector and multiplies by its norm on reading: float32 rounding, not a change.
RENORMALISED = 1e-6
# With twice the records and the same ef, a healthy index finds a little less.
GROWN = 0.03
SHOWN = 5


class Rules:
    """What may differ from the snapshot: changed spaces by name, embeddings that are renormalised, recall.

    With `own_index`, the engine has built every index itself since, and may have left elements that no query reaches.
    """

    def __init__(self, spaces=None, tolerance=0.0, recall_tolerance=0.05, own_index=False):
        self.spaces = spaces or {}
        self.tolerance = tolerance
        self.recall_tolerance = recall_tolerance
        self.own_index = own_index

    def space(self, key, before):
        return self.changed_space(key) or before

    def changed_space(self, key):
        return self.spaces.get(key) or self.spaces.get(key.rsplit("/", 1)[1])

    def embedding_tolerance(self, key, before):
        # A space once changed stays announced: the expected vectors are those from before the change.
        return self.tolerance if "cosine" in (self.space(key, before), before) or self.changed_space(key) else 0.0


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
        self.tolerance = rules.embedding_tolerance(self.key, before)
        self.recall_tolerance = rules.recall_tolerance
        self.own_index = rules.own_index

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
    unknown = sorted(opened.keys() - cases.keys())
    problems += [f"{key}: the engine lists a collection that must not be" for key in unknown]
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
