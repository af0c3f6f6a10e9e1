"""Payloads on their way in, and which part of them a read returns."""

import json

from qdrant_edge import PayloadSelector

from .errors import known_keys, malformed, strings, wrong_input

_BEYOND_64_BITS = float(2**63)


class IntegerGuard:
    """Finds integers beyond 64 bits, which the fast parser turns into floats without a word.

    A float that large is suspicious but may have been written as one (1e20), so only then the body is parsed again
    with a parser that shows the literals.
    """

    def __init__(self, raw):
        self._raw = raw
        self._fits = None

    def _all_fit(self):
        if self._fits is None:
            self._fits = True

            def look(literal):
                if not -(2**63) <= int(literal) < 2**64:
                    self._fits = False
                return 0

            json.loads(self._raw, parse_int=look)
        return self._fits

    def check(self, value):
        kind = type(value)
        if kind is float:
            if not -_BEYOND_64_BITS < value < _BEYOND_64_BITS and not self._all_fit():
                raise wrong_input("an integer in the payload does not fit into 64 bits")
        elif kind is dict:
            for item in value.values():
                if type(item) is not str:
                    self.check(item)
        elif kind is list:
            for item in value:
                if type(item) is not str:
                    self.check(item)


def parse_payload(value, guard, where="payload"):
    """A payload object, or None where the caller sent none."""
    if value is None:
        return None
    if type(value) is not dict:
        raise malformed(f"{where}: expected an object")
    guard.check(value)
    return value


def parse_with_payload(value, default):
    if value is None:
        return default
    if type(value) is bool:
        return value
    if type(value) is list:
        return PayloadSelector.Include(strings(value, "with_payload"))
    known_keys(value, {"include", "exclude"}, "with_payload")
    if len(value) != 1:
        raise malformed("with_payload: expected either `include` or `exclude`")
    if "include" in value:
        return PayloadSelector.Include(strings(value["include"], "with_payload.include"))
    return PayloadSelector.Exclude(strings(value["exclude"], "with_payload.exclude"))


def parse_with_vector(value):
    if value is None:
        return False
    if type(value) is bool:
        return value
    return strings(value, "with_vector")
