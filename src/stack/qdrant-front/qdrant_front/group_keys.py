"""What a point is grouped by: the values under a payload path, and the filters that tell groups apart."""

import re

import qdrant_edge as edge

from .errors import required, string, unsupported, wrong_input

_STEP = re.compile(r'(?:"([^"]+)"|([A-Za-z0-9_-]+))(\[\])?')
_INDEXED = re.compile(r"\[\d+\]")


class GroupKey:
    """A path such as `a.b` or `a[].b`. Where it leads to an array, every element is a value of its own."""

    def __init__(self, body):
        self.path = string(required(body, "group_by", "body"), "group_by")
        self._steps = _parse(self.path)
        self.selector = edge.PayloadSelector.Include([self.path.removesuffix("[]")])

    def values(self, payload):
        """Strings and integers, each once; like a real server, no group has any other kind of value as its id."""
        found = [payload]
        for name, each in self._steps:
            found = [value[name] for value in found if type(value) is dict and name in value]
            if each:
                found = _elements(value for value in found if type(value) is list)
        return list(dict.fromkeys(value for value in _elements(found) if type(value) in (int, str)))

    def exists(self):
        return edge.Filter(must_not=[edge.IsEmptyCondition(self.path)])

    def within(self, ids):
        """Points of any of these groups."""
        return edge.Filter(should=[edge.FieldCondition(self.path, match=edge.MatchAny(some)) for some in _kinds(ids)])

    def outside(self, ids):
        """Points with a value besides these; a point can be in several groups, so `must_not` would lose some."""
        return edge.Filter(must=[edge.FieldCondition(self.path, match=edge.MatchExcept(some)) for some in _kinds(ids)])


def _parse(path):
    steps = []
    position = 0
    while True:
        step = _STEP.match(path, position)
        if step is None:
            raise wrong_input(f"group_by: `{path}` is not a payload path")
        steps.append((step.group(1) or step.group(2), step.group(3) is not None))
        if step.end() == len(path):
            return steps
        if _INDEXED.match(path, step.end()):
            raise unsupported("`group_by` with an array index")
        if path[step.end()] != ".":
            raise wrong_input(f"group_by: `{path}` is not a payload path")
        position = step.end() + 1


def _elements(values):
    return [item for value in values for item in (value if type(value) is list else [value])]


def _kinds(ids):
    """A match takes strings only or signed 64-bit integers only."""
    strings = [value for value in ids if type(value) is str]
    integers = [value for value in ids if type(value) is int and -(2**63) <= value < 2**63]
    return [some for some in (strings, integers) if some]
