"""Exact search with numpy: the measure for an engine's distances, space and recall."""
import numpy as np

SPACES = ("l2", "cosine", "ip")
# float32 sums of some hundred terms stay well inside this share of the terms' size.
DISTANCE_TOLERANCE = 1e-5


def distances(space, queries, vectors):
    """Chroma's distances (l2 is squared; cosine and ip are one minus), float64, shape (queries, vectors)."""
    q = np.asarray(queries, dtype=np.float64)
    v = np.asarray(vectors, dtype=np.float64)
    if space == "cosine":
        q, v = _normalised(q), _normalised(v)
    dots = q @ v.T
    if space == "l2":
        return np.maximum((q * q).sum(1)[:, None] + (v * v).sum(1)[None, :] - 2 * dots, 0)
    return 1 - dots


def _normalised(m):
    return m / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-30)


def _allowed(space, query, vectors):
    """How far a float32 distance may be from the exact one."""
    q = np.linalg.norm(np.asarray(query, dtype=np.float64))
    v = np.linalg.norm(np.asarray(vectors, dtype=np.float64), axis=1)
    size = {"l2": q * q + v * v, "cosine": 1 + 0 * v, "ip": 1 + q * v}[space]
    return DISTANCE_TOLERANCE * size


def wrong_distances(space, queries, answers, vectors_by_id):
    """The (query number, id, given, exact) whose distance is not that of the space; unknown ids are left out."""
    wrong = []
    for n, (vector, (ids, given)) in enumerate(zip(queries, answers)):
        known = [(id, d) for id, d in zip(ids, given) if id in vectors_by_id]
        if not known:
            continue
        vectors = np.stack([vectors_by_id[id] for id, _ in known])
        exact = distances(space, vector[None, :], vectors)[0]
        off = np.abs(exact - [d for _, d in known]) > _allowed(space, vector, vectors)
        wrong += [(n, *known[i], float(exact[i])) for i in np.flatnonzero(off)]
    return wrong


def space_of(queries, answers, vectors_by_id):
    """The space the answers' distances obey, whatever a configuration says; None when they obey none or there are none."""
    if not any(ids for ids, _ in answers):
        return None
    for space in SPACES:
        if not wrong_distances(space, queries, answers, vectors_by_id):
            return space
    return None


def recall(space, queries, answers, vectors_by_id, k=10):
    """The share of the exact nearest k that the answers hold; records as near as the k-th count as well."""
    ids = list(vectors_by_id)
    k = min(k, len(ids))
    if k == 0 or not answers:
        return 1.0
    exact = distances(space, queries, np.stack([vectors_by_id[id] for id in ids]))
    column = {id: i for i, id in enumerate(ids)}
    hits = 0
    for row, (answered, _) in zip(exact, answers):
        kth = np.partition(row, k - 1)[k - 1]
        near = kth + 1e-6 * (1 + abs(kth))
        hits += min(k, sum(1 for id in set(answered) if id in column and row[column[id]] <= near))
    return hits / (k * len(answers))
