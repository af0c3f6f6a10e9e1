"""Vectors in all their JSON forms: dense, multi, sparse, BM25 document; alone or by name."""

from math import hypot

from qdrant_edge import SparseVector

from .bm25 import embed, is_document
from .errors import array, invalid, known_keys, malformed, unsupported, wrong_input

_FLOAT32_MAX = 3.4028234663852886e38
_SPARSE = frozenset({"indices", "values"})


def parse_vector(value, where, query=False):
    """One vector as the engine wants it. Dimensions and names are checked by the engine."""
    if type(value) is list:
        if value and type(value[0]) is list:
            return [_dense(row, where) for row in value]
        return _dense(value, where)
    if is_document(value):
        return embed(value, where, query)
    if type(value) is dict:
        for remote in ("image", "object"):
            if remote in value:
                raise unsupported(f"inference of an {remote}")
        return _sparse(value, where)
    raise malformed(f"{where}: expected a vector")


def parse_point_vectors(value, where="vector"):
    """The vectors of a point: one for the unnamed field, or an object by name, which may be empty."""
    if type(value) is not dict or is_document(value):
        return parse_vector(value, where)
    return {name: parse_vector(vector, f"{where}.{name}") for name, vector in value.items()}


def parse_batch_vectors(value, count):
    """The vectors of `count` points, from the column form of an upsert."""
    if type(value) is dict:
        points = [{} for _ in range(count)]
        for name, column in value.items():
            where = f"batch.vectors.{name}"
            for point, vector in zip(points, _column(column, count, where), strict=True):
                point[name] = parse_vector(vector, where)
        return points
    return [parse_vector(vector, "batch.vectors") for vector in _column(value, count, "batch.vectors")]


def _column(value, count, where):
    if len(array(value, where)) != count:
        raise invalid(f"{where}: number of ids and vectors must be equal ({count} != {len(value)})")
    return value


def _dense(values, where):
    # One call in C sees every element: it fails on a non-number, and the norm is not finite if an element is not or
    # would overflow the engine's 32-bit floats. A loop would cost as much as the engine itself (9 us against 40 us).
    try:
        norm = hypot(*array(values, where))
    except (TypeError, OverflowError) as error:
        raise malformed(f"{where}: a vector holds numbers only") from error
    if not norm <= _FLOAT32_MAX:
        raise wrong_input(f"{where}: a vector holds finite 32-bit numbers only")
    if not values:
        raise wrong_input(f"{where}: Vector dimension error: a dense vector cannot be empty")
    return values


def _sparse(value, where):
    known_keys(value, _SPARSE, where)
    if value.keys() != _SPARSE:
        raise malformed(f"{where}: a sparse vector has `indices` and `values`")
    indices = array(value["indices"], f"{where}.indices")
    values = array(value["values"], f"{where}.values")
    if any(type(index) is not int or not 0 <= index < 2**32 for index in indices):
        raise malformed(f"{where}.indices: expected unsigned 32-bit integers")
    if len(indices) != len(values):
        raise invalid(f"{where}.values: must be the same length as indices")
    # The engine itself takes repeated indices.
    if len(set(indices)) != len(indices):
        raise invalid(f"{where}.indices: must be unique")
    if values:
        _dense(values, f"{where}.values")
    return SparseVector(indices, values)
