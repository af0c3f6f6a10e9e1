"""The two hashes of a point, from their description in the design: over its payload, and over its record's content."""

import hashlib
import json
from decimal import Decimal
from typing import Iterable

CHUNKER_VERSION = 1
_HASHED = "source summary_id member_code type parent_idx chunk_index parent_id text checksum point_count".split()


def _json(value: object) -> str:
    """JSON as JavaScript writes it."""
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
        if 1e-6 <= abs(value) < 1e21:
            return format(Decimal(repr(value)), "f")
        mantissa, exponent = repr(value).split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        return "".join(f"\\u{ord(one):04x}" if 0xD800 <= ord(one) < 0xE000 else one for one in text)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def point_hash(payload: dict, copied_columns: Iterable[str]) -> str:
    """Over what the migration owns of a payload; null and absent are the same."""
    keys = sorted({*_HASHED, *copied_columns}, key=lambda key: key.encode("utf-16-be"))
    members = [f"{_json(key)}:{_json(payload[key])}" for key in keys if payload.get(key) is not None]
    return hashlib.sha256(("{" + ",".join(members) + "}").encode("utf-8")).hexdigest()


def checksum(content: str, parent_tokens: int, child_tokens: int, overlap_tokens: int, model: str, dimensions: int) -> str:
    """Over a record's content and all that shapes its dense vectors."""
    shape = _json([CHUNKER_VERSION, parent_tokens, child_tokens, overlap_tokens, model, dimensions])
    return hashlib.sha256(f"{shape}\n{content}".encode("utf-8", "replace")).hexdigest()
