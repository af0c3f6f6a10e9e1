"""How several columns of a row become one text. Escapes: \\n, \\t and \\\\; {{ and }} are braces; {name} is a column."""

from typing import Callable, Sequence

from .coverage import is_blank

Shape = Callable[[Sequence[str | None]], str | None]


def _pieces(template: str) -> list[tuple[bool, str]]:
    """The template from left to right: (False, fixed text) or (True, name of a column)."""
    pieces: list[tuple[bool, str]] = []
    rest = iter(template)
    for sign in rest:
        if sign == "\\":
            escape = next(rest, "")
            if escape not in ("n", "t", "\\"):
                raise ValueError("the template has an escape that means nothing")
            pieces.append((False, {"n": "\n", "t": "\t", "\\": "\\"}[escape]))
        elif sign == "{":
            sign = next(rest, "")
            if sign == "{":
                pieces.append((False, "{"))
                continue
            name = ""
            while sign != "}":
                if sign in ("", "{"):
                    raise ValueError("the template has a brace that is not closed")
                name += sign
                sign = next(rest, "")
            pieces.append((True, name))
        elif sign == "}":
            if next(rest, "") != "}":
                raise ValueError("the template has a brace that nothing opens")
            pieces.append((False, "}"))
        else:
            pieces.append((False, sign))
    return pieces


def content_shape(columns: Sequence[str], template: str | None) -> Shape:
    """What a row's texts, in the order of the columns, have to become.

    One column is the content as it is. Several are joined by a blank line, or put into the template, where NULL is empty;
    if all of them are NULL or blank, there is no content.
    """
    if template is None and len(columns) == 1:
        return lambda texts: texts[0]
    if template is None:
        return lambda texts: "\n\n".join(text for text in texts if text is not None and not is_blank(text)) or None
    place = {name.casefold(): at for at, name in enumerate(columns)}
    pieces = _pieces(template)
    if sorted(name.casefold() for is_column, name in pieces if is_column) != sorted(place):
        raise ValueError("the template has to name each content column once, and nothing else")

    def shaped(texts: Sequence[str | None]) -> str | None:
        if all(is_blank(text) for text in texts):
            return None
        return "".join(texts[place[text.casefold()]] or "" if is_column else text for is_column, text in pieces)

    return shaped
