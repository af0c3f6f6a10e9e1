"""Writes to points.

A whole request is translated before its first operation runs, so a malformed one changes nothing. What only the engine
can see, such as a wrong dimension, is refused as on a real server: points before the wrong one may have been written.
"""

from collections.abc import Callable
from dataclasses import dataclass

from qdrant_edge import CountRequest, Filter, HasIdCondition, Point, PointVectors, UpdateMode, UpdateOperation

from .errors import ApiError, array, choice, invalid, known_keys, malformed, required, string, strings, unsupported
from .filters import parse_filter
from .payloads import parse_payload
from .point_ids import parse_id, parse_ids
from .vectors import parse_batch_vectors, parse_point_vectors

_POINT = frozenset({"id", "vector", "payload"})
_UPDATE_MODES = {
    "upsert": UpdateMode.Upsert,
    "insert_only": UpdateMode.InsertOnly,
    "update_only": UpdateMode.UpdateOnly,
}


@dataclass
class Write:
    """An operation of the engine, and how many points of a shard it is going to touch, under which counter."""

    operation: UpdateOperation
    counter: str
    touched: Callable


def _body(body, keys, where):
    known_keys(body, {*keys, "shard_key"}, where)
    if body.get("shard_key") is not None:
        raise unsupported("`shard_key`")
    return body


def _not_empty(points):
    """A write of no points reaches no shard, which a real server refuses, after it has checked the key."""
    if not points:
        raise ApiError(400, "Bad request: Empty update request")
    return points


def _count(shard, *conditions):
    return shard.count(CountRequest(exact=True, filter=Filter(must=list(conditions))))


def upsert(body, guard):
    _body(body, ("points", "batch", "update_filter", "update_mode"), "upsert")
    if ("points" in body) == ("batch" in body):
        raise malformed("upsert: expected either `points` or `batch`")
    if "points" in body:
        points = [_point(point, guard) for point in array(body["points"], "points")]
    else:
        points = _batch(body["batch"], guard)
    _not_empty(points)
    condition = parse_filter(body.get("update_filter"), "update_filter")
    mode = choice(body.get("update_mode"), _UPDATE_MODES, "update_mode")
    ids = {point.id for point in points}

    def touched(shard):
        if condition is None and mode in (None, UpdateMode.Upsert):
            return len(ids)
        existing = _count(shard, HasIdCondition(ids))
        matching = existing if condition is None else _count(shard, HasIdCondition(ids), condition)
        inserted = 0 if mode == UpdateMode.UpdateOnly else len(ids) - existing
        return inserted + (0 if mode == UpdateMode.InsertOnly else matching)

    return Write(UpdateOperation.upsert_points(points, condition, mode), "written", touched)


def _point(point, guard):
    known_keys(point, _POINT, "points")
    if "vector" not in point:
        raise malformed("points: missing field `vector`")
    return Point(
        parse_id(point.get("id")), parse_point_vectors(point["vector"]), parse_payload(point.get("payload"), guard)
    )


def _batch(batch, guard):
    known_keys(batch, {"ids", "vectors", "payloads"}, "batch")
    ids = parse_ids(required(batch, "ids", "batch"), "batch.ids")
    vectors = parse_batch_vectors(required(batch, "vectors", "batch"), len(ids))
    payloads = batch.get("payloads") or [None] * len(ids)
    if len(array(payloads, "batch.payloads")) != len(ids):
        raise invalid(f"batch.payloads: number of ids and payloads must be equal ({len(ids)} != {len(payloads)})")
    return [
        Point(point_id, vector, parse_payload(payload, guard))
        for point_id, vector, payload in zip(ids, vectors, payloads, strict=True)
    ]


def update_vectors(body, guard):
    _body(body, ("points", "update_filter"), "update_vectors")
    points = []
    for point in array(required(body, "points", "update_vectors"), "points"):
        known_keys(point, {"id", "vector"}, "points")
        points.append(PointVectors(parse_id(point.get("id")), parse_point_vectors(required(point, "vector", "points"))))
    _not_empty(points)
    condition = parse_filter(body.get("update_filter"), "update_filter")
    ids = {point.id for point in points}

    def touched(shard):
        return len(ids) if condition is None else _count(shard, HasIdCondition(ids), condition)

    return Write(UpdateOperation.update_vectors(points, condition), "changed", touched)


def _selected(body, by_ids, by_filter, counter, where):
    """An operation on the points of a selector: ids win over a filter, one of them has to be there."""
    if body.get("points") is not None:
        ids = _not_empty(parse_ids(body["points"], f"{where}.points"))
        distinct = set(ids)
        return Write(by_ids(ids), counter, lambda shard: _count(shard, HasIdCondition(distinct)))
    if body.get("filter") is not None:
        selection = parse_filter(body["filter"], f"{where}.filter")
        return Write(by_filter(selection), counter, lambda shard: _count(shard, selection))
    raise malformed(f"{where}: either list of point ids or filter must be provided")


def delete(body, _guard):
    _body(body, ("points", "filter"), "delete")
    operation = UpdateOperation
    return _selected(body, operation.delete_points, operation.delete_points_by_filter, "deleted", "delete")


def clear_payload(body, _guard):
    _body(body, ("points", "filter"), "clear_payload")
    operation = UpdateOperation
    return _selected(body, operation.clear_payload, operation.clear_payload_by_filter, "changed", "clear_payload")


def _payload_write(name, by_ids, by_filter):
    def prepare(body, guard):
        _body(body, ("payload", "points", "filter", "key"), name)
        payload = parse_payload(required(body, "payload", name), guard)
        key = string(body.get("key"), "key")
        return _selected(
            body,
            lambda ids: by_ids(ids, payload, key),
            lambda selection: by_filter(selection, payload, key),
            "changed",
            name,
        )

    return prepare


set_payload = _payload_write("set_payload", UpdateOperation.set_payload, UpdateOperation.set_payload_by_filter)
overwrite_payload = _payload_write(
    "overwrite_payload", UpdateOperation.overwrite_payload, UpdateOperation.overwrite_payload_by_filter
)


def delete_payload(body, _guard):
    _body(body, ("keys", "points", "filter"), "delete_payload")
    keys = strings(required(body, "keys", "delete_payload"), "keys")
    operation = UpdateOperation
    return _selected(
        body,
        lambda ids: operation.delete_payload(ids, keys),
        lambda selection: operation.delete_payload_by_filter(selection, keys),
        "changed",
        "delete_payload",
    )


def delete_vectors(body, _guard):
    _body(body, ("vector", "points", "filter"), "delete_vectors")
    names = strings(required(body, "vector", "delete_vectors"), "vector")
    operation = UpdateOperation
    return _selected(
        body,
        lambda ids: operation.delete_vectors(ids, names),
        lambda selection: operation.delete_vectors_by_filter(selection, names),
        "changed",
        "delete_vectors",
    )


_BATCHED = {
    "upsert": upsert,
    "delete": delete,
    "set_payload": set_payload,
    "overwrite_payload": overwrite_payload,
    "delete_payload": delete_payload,
    "clear_payload": clear_payload,
    "update_vectors": update_vectors,
    "delete_vectors": delete_vectors,
}


def batch(body, guard, strict):
    """The writes of `/points/batch`, in order; each is held to the limits of the collection."""
    known_keys(body, {"operations"}, "body")
    writes = []
    for operation in array(required(body, "operations", "body"), "operations"):
        known_keys(operation, _BATCHED.keys(), "operations")
        if len(operation) != 1:
            raise malformed("operations: expected exactly one operation in each object")
        ((kind, argument),) = operation.items()
        strict.write(kind, argument)
        writes.append(_BATCHED[kind](argument, guard))
    return writes


def apply(collection, write, counters):
    """Runs one write and counts the points it touched; one that the engine refuses counts nothing."""
    touched = write.touched(collection.shard)
    number = collection.update(write.operation)
    counters.add(write.counter, touched)
    return number
