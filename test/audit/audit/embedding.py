"""The offline embeddings server's function, implemented a second time from its specification.

The features of a text are: each maximal run of ASCII letters and digits, lower-cased; each code point >= U+0080; each
pair of adjacent code points >= U+0080. A lone surrogate counts as U+FFFD. Each occurrence adds a sign to one place of
the vector: h = FNV-1a 32 of the feature's UTF-8 bytes, place = (h >> 1) % dimensions, sign = +1 if h is odd, else -1.
If all is zero afterwards, the whole text is the only feature. The vector is then scaled to length 1 and rounded to
float32.
"""

import math
import re
from array import array
from collections import defaultdict
from operator import sub
from typing import Iterator, Sequence

_SURROGATE = re.compile("[\ud800-\udfff]")
_RUN = re.compile("[A-Za-z0-9]+|[^\x00-\x7f]+")
_CACHE_LIMIT = 500_000

TOLERANCE = 1e-5


def fnv1a_32(data: bytes) -> int:
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def features(text: str) -> Iterator[str]:
    """The features of a text (without lone surrogates), one for each occurrence."""
    for run in _RUN.findall(text):
        if run[0] < "\x80":
            yield run.lower()
        else:
            yield from run
            for first, second in zip(run, run[1:]):
                yield first + second


class Embedder:
    """Embeds texts, remembering the hashes of features."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._hashes: dict[str, int] = {}

    def _hash(self, feature: str) -> int:
        value = self._hashes.get(feature)
        if value is None:
            if len(self._hashes) >= _CACHE_LIMIT:
                self._hashes.clear()
            value = self._hashes[feature] = fnv1a_32(feature.encode("utf-8"))
        return value

    def embed(self, text: str) -> array:
        clean = _SURROGATE.sub("\ufffd", text)
        sums: dict[int, int] = defaultdict(int)
        for feature in features(clean):
            value = self._hash(feature)
            sums[(value >> 1) % self.dimensions] += 1 if value & 1 else -1
        squared = sum(value * value for value in sums.values())
        if squared == 0:
            value = fnv1a_32(clean.encode("utf-8"))
            sums[(value >> 1) % self.dimensions] = 1 if value & 1 else -1
            squared = 1
        length = math.sqrt(squared)
        vector = array("f", bytes(4 * self.dimensions))
        for place, value in sums.items():
            vector[place] = value / length
        return vector

    def fault(self, text: str, vector: object) -> str | None:
        """What is wrong with the vector of a text, or None."""
        if not isinstance(vector, list) or len(vector) != self.dimensions:
            return f"dense vector is not a list of {self.dimensions} numbers"
        return None if _equal(vector, self.embed(text)) else "dense vector is not that of its text"


def _equal(actual: Sequence[float], expected: Sequence[float]) -> bool:
    try:
        # "the tolerance is at least the distance", so that NaN is unequal; maps, because this is the audit's inner loop.
        return all(map(TOLERANCE.__ge__, map(abs, map(sub, actual, expected))))
    except TypeError:
        return False
