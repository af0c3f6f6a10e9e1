"""How many points were written, changed and deleted since the data folder was made, and which requests came.

Tests and the demo prove with it that a second run touches nothing. It is saved with the flush of each second, so a kill
loses at most a second of counts, never of points.
"""

from .files import read_json, write_json

_POINTS = ("written", "changed", "deleted")


class Counters:
    def __init__(self, path):
        self._path = path
        stored = read_json(path, {})
        self._points = {name: stored.get(name, 0) for name in _POINTS}
        self._requests = stored.get("requests", {})
        self._unsaved = False

    def add(self, name, count):
        self._points[name] += count
        self._unsaved = True

    def add_request(self, endpoint):
        self._requests[endpoint] = self._requests.get(endpoint, 0) + 1
        self._unsaved = True

    def describe(self):
        return {**self._points, "requests": dict(sorted(self._requests.items()))}

    def reset(self):
        self._points = dict.fromkeys(_POINTS, 0)
        self._requests = {}
        self._unsaved = True
        self.save()

    def save(self):
        if self._unsaved:
            self._unsaved = False
            write_json(self._path, self.describe(), durable=False)
