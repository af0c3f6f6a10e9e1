"""Failures on demand, so that tests see how a caller behaves when the server does not.

A fault answers the next `count` requests whose path matches `paths` (all, until cleared, where there is no count) with
`status`, after `delay_ms`. Without a status it only delays. With `after` the request is executed first and its answer
lost, which is what a caller sees when a connection breaks after a write.
"""

import re

from .errors import ApiError, boolean, integer, known_keys, malformed, string

_KEYS = frozenset({"status", "count", "delay_ms", "paths", "after", "retry_after", "message"})


class Fault:
    def __init__(self, body):
        known_keys(body, _KEYS, "body")
        self.status = integer(body.get("status"), "status", minimum=400, maximum=599)
        self.count = integer(body.get("count"), "count", minimum=1)
        self.delay_seconds = (integer(body.get("delay_ms"), "delay_ms", maximum=600_000) or 0) / 1000
        self.after = boolean(body.get("after"), "after") or False
        self.retry_after = integer(body.get("retry_after"), "retry_after")
        self.message = string(body.get("message"), "message") or "injected fault"
        try:
            self.paths = re.compile(string(body.get("paths"), "paths") or "")
        except re.error as error:
            raise malformed(f"paths: {error}") from error

    def error(self):
        headers = [] if self.retry_after is None else [(b"retry-after", str(self.retry_after).encode())]
        return ApiError(self.status, self.message, headers)

    def describe(self):
        return {
            "status": self.status,
            "count": self.count,
            "delay_ms": round(self.delay_seconds * 1000),
            "paths": self.paths.pattern,
            "after": self.after,
        }


class Faults:
    def __init__(self):
        self._faults = []

    def add(self, body):
        self._faults.append(Fault(body))

    def clear(self):
        self._faults.clear()

    def describe(self):
        return [fault.describe() for fault in self._faults]

    def take(self, method, path):
        """The first fault for this request, counted down; `paths` is searched in `METHOD /path`."""
        for fault in self._faults:
            if fault.paths.search(f"{method} {path}"):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count == 0:
                        self._faults.remove(fault)
                return fault
        return None
