"""Filters, rebuilt condition by condition, because the engine has no constructor from JSON.

Integer ranges compare as 64-bit floats inside the engine, exactly as on a real server; that is left as it is, so that
callers meet it here as well.
"""

import qdrant_edge as edge

from .errors import array, boolean, integer, invalid, known_keys, malformed, number, required, string, unsupported
from .point_ids import parse_ids

_CLAUSES = frozenset({"must", "should", "must_not", "min_should"})
_FIELD = frozenset("key match range geo_bounding_box geo_radius geo_polygon values_count is_empty is_null".split())
_BOUNDS = ("lt", "gt", "lte", "gte")
_TEXT_MATCHES = {
    "text": edge.MatchText,
    "text_any": edge.MatchTextAny,
    "phrase": edge.MatchPhrase,
    "prefix": edge.MatchPrefix,
}

# MatchValue(True) becomes the integer 1 and matches nothing: the binding tries integers before booleans, and a Python
# bool is an integer. It also takes NumPy's boolean, which is none; a look-alike saves that dependency.
_BOOLEANS = {
    value: type("bool_", (), {"__module__": "numpy", "__bool__": lambda _self, value=value: value})()
    for value in (True, False)
}


def assert_boolean_matches():
    """Run at start-up: another engine release could break the look-alike without an error."""
    for value, stand_in in _BOOLEANS.items():
        if edge.MatchValue(stand_in).value is not value:
            raise RuntimeError("this release of qdrant-edge-py does not take the stand-in for booleans in filters")


def parse_filter(body, where="filter"):
    """A filter, or None where there is none."""
    if body is None:
        return None
    known_keys(body, _CLAUSES, where)
    return edge.Filter(
        must=_conditions(body.get("must"), f"{where}.must"),
        should=_conditions(body.get("should"), f"{where}.should"),
        must_not=_conditions(body.get("must_not"), f"{where}.must_not"),
        min_should=_min_should(body.get("min_should"), f"{where}.min_should"),
    )


def _conditions(value, where):
    if value is None:
        return None
    if type(value) is dict:
        return [_condition(value, where)]
    return [_condition(item, where) for item in array(value, where)]


def _min_should(value, where):
    if value is None:
        return None
    known_keys(value, {"conditions", "min_count"}, where)
    return edge.MinShould(
        _conditions(required(value, "conditions", where), where),
        integer(required(value, "min_count", where), f"{where}.min_count"),
    )


def _condition(value, where):
    if type(value) is not dict:
        raise malformed(f"{where}: expected a condition")
    if "key" in value:
        return _field(value, where)
    for kind, parse in _OTHER_CONDITIONS.items():
        if kind in value:
            known_keys(value, {kind}, where)
            return parse(value[kind], f"{where}.{kind}")
    if "slice" in value:
        raise unsupported("the condition `slice`")
    return parse_filter(value, where)


def _path(value, where):
    known_keys(value, {"key"}, where)
    return string(required(value, "key", where), f"{where}.key")


def _nested(value, where):
    known_keys(value, {"key", "filter"}, where)
    key = string(required(value, "key", where), f"{where}.key")
    return edge.NestedCondition(key, parse_filter(required(value, "filter", where), f"{where}.filter"))


def _has_vector(value, where):
    if type(value) is not str:
        raise malformed(f"{where}: expected a string")
    return edge.HasVectorCondition(value)


_OTHER_CONDITIONS = {
    "is_empty": lambda value, where: edge.IsEmptyCondition(_path(value, where)),
    "is_null": lambda value, where: edge.IsNullCondition(_path(value, where)),
    "has_id": lambda value, where: edge.HasIdCondition(set(parse_ids(value, where))),
    "has_vector": _has_vector,
    "nested": _nested,
}


def _field(value, where):
    known_keys(value, _FIELD, where)
    for kind in ("geo_bounding_box", "geo_radius", "geo_polygon"):
        if value.get(kind) is not None:
            raise unsupported(f"the condition `{kind}`")
    key = string(required(value, "key", where), f"{where}.key")
    conditions = {
        "match": _match(value.get("match"), f"{where}.match"),
        "range": _range(value.get("range"), f"{where}.range"),
        "values_count": _values_count(value.get("values_count"), f"{where}.values_count"),
        "is_empty": boolean(value.get("is_empty"), f"{where}.is_empty"),
        "is_null": boolean(value.get("is_null"), f"{where}.is_null"),
    }
    if all(condition is None for condition in conditions.values()):
        raise invalid(f"{where}: at least one field condition must be specified")
    return edge.FieldCondition(key, **conditions)


def _match(value, where):
    if value is None:
        return None
    known_keys(value, {"value", "any", "except", *_TEXT_MATCHES}, where)
    if len(value) != 1:
        raise malformed(f"{where}: expected exactly one kind of match")
    kind, operand = next(iter(value.items()))
    if kind == "value":
        return edge.MatchValue(_match_value(operand, f"{where}.value"))
    if kind in ("any", "except"):
        operands = _match_values(operand, f"{where}.{kind}")
        return edge.MatchAny(operands) if kind == "any" else edge.MatchExcept(operands)
    if type(operand) is not str:
        raise malformed(f"{where}.{kind}: expected a string")
    return _TEXT_MATCHES[kind](operand)


def _match_value(value, where):
    if type(value) is bool:
        return _BOOLEANS[value]
    if type(value) is int and -(2**63) <= value < 2**63 or type(value) is str:
        return value
    raise malformed(f"{where}: expected a string, a signed 64-bit integer or a boolean")


def _match_values(values, where):
    kinds = {type(value) for value in array(values, where)}
    if kinds <= {str} or kinds == {int} and all(-(2**63) <= value < 2**63 for value in values):
        return values
    raise malformed(f"{where}: expected strings only or signed 64-bit integers only")


def _range(value, where):
    if value is None:
        return None
    known_keys(value, set(_BOUNDS), where)
    bounds = {bound: value[bound] for bound in _BOUNDS if value.get(bound) is not None}
    if bounds and all(type(bound) is str for bound in bounds.values()):
        return edge.RangeDateTime(**bounds)
    return edge.RangeFloat(**{name: number(bound, f"{where}.{name}") for name, bound in bounds.items()})


def _values_count(value, where):
    if value is None:
        return None
    known_keys(value, set(_BOUNDS), where)
    return edge.ValuesCount(**{bound: integer(value.get(bound), f"{where}.{bound}") for bound in _BOUNDS})
