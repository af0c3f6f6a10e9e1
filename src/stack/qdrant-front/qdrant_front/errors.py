"""Errors with the status codes and message prefixes of a real server, and the checks that raise them."""

import re


class ApiError(Exception):
    """Becomes `{"status": {"error": message}}` with this HTTP status."""

    def __init__(self, status, message, headers=()):
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = list(headers)


def malformed(message):
    """The body does not have the shape of the request."""
    return ApiError(400, f"Format error in JSON body: {message}")


def wrong_input(message):
    """The shape is right, but the collection cannot take it."""
    return ApiError(400, f"Wrong input: {message}")


def invalid(message):
    """A value is outside its limits; a real server answers these with 422."""
    return ApiError(422, f"Validation error in JSON body: [{message}]")


def not_found(message):
    return ApiError(404, f"Not found: {message}")


def unsupported(what):
    """A feature of the real server that this stand-in lacks. Never a silent omission."""
    return ApiError(501, f"Not served by the local stand-in: {what}")


# The engine raises a plain Exception(text), so its kind is in the text only (qdrant-edge-py 0.9.0).
_MISSING_POINT = re.compile(r"^No point with id (\S+)")
_CALLERS_FAULT = re.compile(
    r"^(Vector |Not existing vector name|Wrong |Validation failed|Payload type|Unable to order|Variable type"
    r"|Expected |Missing|Non-finite|Unsupported|Bad |Malformed|Invalid|Index required|No appropriate index|Field "
    r"|failed to |argument '|can't convert)",
    re.IGNORECASE,
)


def from_engine(error):
    """Translates an exception of the engine into the answer a real server would give."""
    if isinstance(error, ApiError):
        return error
    text = str(error).split("\n", 1)[0]
    missing = _MISSING_POINT.match(text)
    if missing:
        return not_found(f"No point with id {missing.group(1)} found")
    if _CALLERS_FAULT.match(text):
        return wrong_input(text)
    return ApiError(500, f"Service internal error: {text}")


def known_keys(body, allowed, where):
    """Refuses a body that is no object or has a key outside `allowed`; returns the body."""
    if not isinstance(body, dict):
        raise malformed(f"{where}: expected an object")
    unknown = body.keys() - allowed
    if unknown:
        raise malformed(f"{where}: unknown key `{sorted(unknown)[0]}`")
    return body


def required(body, key, where):
    value = body.get(key)
    if value is None:
        raise malformed(f"{where}: missing field `{key}`")
    return value


def integer(value, where, minimum=0, maximum=2**63 - 1):
    """An optional integer: None stays None, a boolean is no integer."""
    if value is None:
        return None
    if type(value) is not int:
        raise malformed(f"{where}: expected an integer")
    if not minimum <= value <= maximum:
        raise invalid(f"{where}: value {value} invalid, must be between {minimum} and {maximum}")
    return value


def number(value, where):
    if value is None:
        return None
    if type(value) not in (int, float):
        raise malformed(f"{where}: expected a number")
    return float(value)


def boolean(value, where):
    if value is not None and type(value) is not bool:
        raise malformed(f"{where}: expected true or false")
    return value


def string(value, where):
    if value is not None and type(value) is not str:
        raise malformed(f"{where}: expected a string")
    return value


def array(value, where):
    if type(value) is not list:
        raise malformed(f"{where}: expected an array")
    return value


def strings(value, where):
    if any(type(item) is not str for item in array(value, where)):
        raise malformed(f"{where}: expected an array of strings")
    return value


def choice(value, table, where):
    """Looks an enumeration's JSON spelling up in `table`; None stays None."""
    if value is None:
        return None
    if type(value) is not str or value not in table:
        raise malformed(f"{where}: unknown variant `{value}`, expected one of {', '.join(table)}")
    return table[value]
