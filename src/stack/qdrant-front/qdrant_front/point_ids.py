"""Point ids: unsigned 64-bit integers, or UUIDs in every spelling that Rust's parser takes."""

import re
from uuid import UUID

from .errors import array, malformed

_HEX = "[0-9a-fA-F]"
_HYPHENATED = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
# Python's own parser drops hyphens and braces wherever they stand, so it would take ids that a real server refuses.
_UUID = re.compile(rf"(?:{_HYPHENATED}|{_HEX}{{32}}|urn:uuid:{_HYPHENATED}|\{{{_HYPHENATED}\}})\Z")


def parse_id(value):
    if type(value) is str:
        if _UUID.match(value):
            return UUID(value)
    elif type(value) is int and 0 <= value < 2**64:
        return value
    raise malformed(f"value {value} is not a valid point ID, valid values are either an unsigned integer or a UUID")


def is_id(value):
    return bool(_UUID.match(value)) if type(value) is str else 0 <= value < 2**64


def parse_ids(values, where):
    return [parse_id(value) for value in array(values, where)]
