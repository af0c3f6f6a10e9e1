"""Do the chunks cover their text? White space is what JavaScript's trim() and \\s see as such."""

import re
from bisect import bisect_left

WHITESPACE = "\t\n\v\f\r \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000\ufeff"
_SPACE = re.compile(f"[{WHITESPACE}]+")
_INK = re.compile(f"[^{WHITESPACE}]")


def is_blank(text: str | None) -> bool:
    return text is None or _INK.search(text) is None


def without_space(text: str) -> str:
    return _SPACE.sub("", text)


def _next_ink(text: str, start: int) -> int:
    found = _INK.search(text, start)
    return len(text) if found is None else found.start()


def parents_fault(content: str, parents: list[str]) -> str | None:
    """Parents must be parts of the row, in order, without overlap, and leave nothing but white space out."""
    at = 0
    for ordinal, parent in enumerate(parents):
        found = content.find(parent, at)
        if found < 0:
            elsewhere = "after its predecessor" if parent in content else "in the row"
            return f"the text of parent {ordinal} does not occur {elsewhere}"
        at = found + len(parent)
    if without_space("".join(parents)) != without_space(content):
        return "the parents do not cover the row's text exactly"
    return None


def children_fault(parent: str, children: list[str]) -> str | None:
    """Children must be parts of the parent whose starts do not decrease; each covers the first visible character that
    its predecessors left, and the last leaves none.

    A child may occur in several places, so all places are followed that fit: `starts` of the latest child and, for each,
    the first character that is not covered yet (`nexts`); both lists ascend.
    """
    starts, nexts = [0], [_next_ink(parent, 0)]
    for ordinal, child in enumerate(children):
        if child not in parent:
            return f"its child {ordinal} is not a part of it"
        fitting = []
        at = parent.find(child, starts[0])
        while 0 <= at <= nexts[-1]:
            state = bisect_left(nexts, at)
            if starts[state] <= at and nexts[state] < at + len(child):
                fitting.append(at)
            at = parent.find(child, at + 1)
        if not fitting:
            return f"its child {ordinal} leaves a gap before it, or covers nothing new"
        starts, nexts = fitting, [_next_ink(parent, at + len(child)) for at in fitting]
    if nexts[-1] < len(parent):
        return "its last child leaves text uncovered"
    return None
