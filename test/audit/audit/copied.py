"""A copied column as it has to stand in a payload, from the text that the server sends and the column's type."""

import re

_ZERO_DATE = re.compile(r"\d+-(?:00|\d\d-00)")


def copied_value(type_code: int, text: str | bytes | None, length: int = 0) -> object:
    """Integers and floats as numbers, BIT(1) as a boolean, dates in ISO 8601, everything else as its text."""
    from pymysql.constants import FIELD_TYPE  # here, so that the self-tests need no package

    if text is None:
        return None
    if type_code == FIELD_TYPE.BIT:
        raw = text if isinstance(text, bytes) else text.encode("latin-1")
        value = int.from_bytes(raw, "big")
        return value == 1 if length == 1 else value
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    integers = (FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG, FIELD_TYPE.YEAR)
    if type_code in integers:
        return int(text)
    if type_code in (FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE):
        return float(text)
    if type_code in (FIELD_TYPE.DATE, FIELD_TYPE.NEWDATE, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP):
        zone = "Z" if type_code == FIELD_TYPE.TIMESTAMP else ""
        return None if _ZERO_DATE.match(text) else text.replace(" ", "T") + zone
    return text
