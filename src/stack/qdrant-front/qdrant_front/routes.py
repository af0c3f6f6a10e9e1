"""Which endpoint does what. A handler takes the front, the request and the name in the path, and returns the result."""

import re

from . import COMMIT, TITLE, VERSION, groups, operations, queries
from .errors import unsupported
from .facet import facet
from .indexes import parse_index
from .payloads import IntegerGuard
from .schema import create_config, updated_config
from .strict_mode import StrictMode
from .telemetry import telemetry


class Plain:
    """An answer without the usual envelope."""

    def __init__(self, content):
        self.content = content


def _root(_front, _request):
    return Plain({"title": TITLE, "version": VERSION, "commit": COMMIT})


def _health(_front, _request):
    return Plain("all shards are ready")


def _list_collections(front, _request):
    return {"collections": [{"name": name} for name in sorted(front.registry.collections)]}


def _create_collection(front, request, name):
    config = create_config(request.body)
    IntegerGuard(request.raw).check(config.get("metadata"))
    front.registry.create(name, config)
    return True


def _update_collection(front, request, name):
    config = updated_config(front.registry.get(name).config, request.body)
    IntegerGuard(request.raw).check(config.get("metadata"))
    front.registry.update(name, config)
    return True


def _aliases_of(front, name):
    return [
        {"alias_name": alias, "collection_name": target}
        for alias, target in sorted(front.registry.aliases.items())
        if name in (None, target)
    ]


def _change_aliases(front, request):
    front.registry.change_aliases(request.body)
    return True


def _collection_aliases(front, _request, name):
    front.registry.get(name)
    return {"aliases": _aliases_of(front, name)}


def _outcome(request, number):
    # The engine has applied the write in both cases; the word repeats what a caller asked for.
    return {"operation_id": number, "status": "completed" if request.wait else "acknowledged"}


def _create_index(front, request, name):
    collection = front.registry.get(name)
    operation = parse_index(request.body)
    StrictMode(collection).index(request.body["field_name"])
    return _outcome(request, collection.update(operation))


def _delete_index(front, request, name, field):
    collection = front.registry.get(name)
    return _outcome(request, collection.update(operations.UpdateOperation.delete_field_index(field)))


def _write(prepare):
    def handler(front, request, name):
        collection = front.registry.get(name)
        StrictMode(collection).write(prepare.__name__, request.body)
        write = prepare(request.body, IntegerGuard(request.raw))
        return _outcome(request, operations.apply(collection, write, front.counters))

    return handler


def _batch(front, request, name):
    collection = front.registry.get(name)
    writes = operations.batch(request.body, IntegerGuard(request.raw), StrictMode(collection))
    return [_outcome(request, operations.apply(collection, write, front.counters)) for write in writes]


def _read(run, check=None):
    def handler(front, request, name):
        collection = front.registry.get(name)
        if check is not None:
            check(StrictMode(collection), request.body)
        return run(collection.shard, request.body)

    return handler


def _query_groups(front, request, name):
    StrictMode(front.registry.get(name)).groups(request.body)
    return groups.query_groups(front.registry, name, request.body)


def _reset_counters(front, _request):
    front.counters.reset()
    return front.counters.describe()


def _add_fault(front, request):
    front.faults.add(request.body)
    return front.faults.describe()


def _clear_faults(front, _request):
    front.faults.clear()
    return []


_TABLE = {
    "GET /": _root,
    "GET /healthz": _health,
    "GET /livez": _health,
    "GET /readyz": _health,
    "GET /front/counters": lambda front, _request: front.counters.describe(),
    "POST /front/counters/reset": _reset_counters,
    "GET /front/faults": lambda front, _request: front.faults.describe(),
    "POST /front/faults": _add_fault,
    "DELETE /front/faults": _clear_faults,
    "GET /telemetry": telemetry,
    "GET /aliases": lambda front, _request: {"aliases": _aliases_of(front, None)},
    "GET /collections": _list_collections,
    "POST /collections/aliases": _change_aliases,
    "GET /collections/{name}": lambda front, _request, name: front.registry.get(name).describe(),
    "PUT /collections/{name}": _create_collection,
    "PATCH /collections/{name}": _update_collection,
    "DELETE /collections/{name}": lambda front, _request, name: front.registry.delete(name),
    "GET /collections/{name}/exists": lambda front, _request, name: {"exists": front.registry.exists(name)},
    "GET /collections/{name}/aliases": _collection_aliases,
    "PUT /collections/{name}/index": _create_index,
    "DELETE /collections/{name}/index/{field}": _delete_index,
    "PUT /collections/{name}/points": _write(operations.upsert),
    "POST /collections/{name}/points": _read(queries.retrieve),
    "POST /collections/{name}/points/delete": _write(operations.delete),
    "PUT /collections/{name}/points/vectors": _write(operations.update_vectors),
    "POST /collections/{name}/points/vectors/delete": _write(operations.delete_vectors),
    "POST /collections/{name}/points/payload": _write(operations.set_payload),
    "PUT /collections/{name}/points/payload": _write(operations.overwrite_payload),
    "POST /collections/{name}/points/payload/delete": _write(operations.delete_payload),
    "POST /collections/{name}/points/payload/clear": _write(operations.clear_payload),
    "POST /collections/{name}/points/batch": _batch,
    "POST /collections/{name}/points/scroll": _read(queries.scroll, StrictMode.scroll),
    "POST /collections/{name}/points/count": _read(queries.count, StrictMode.count),
    "POST /collections/{name}/points/query": _read(queries.query, StrictMode.query),
    "POST /collections/{name}/points/query/batch": _read(queries.query_batch, StrictMode.query_batch),
    "POST /collections/{name}/points/query/groups": _query_groups,
    "POST /collections/{name}/facet": _read(facet, StrictMode.facet),
    "GET /collections/{name}/points/{id}": (
        lambda front, _request, name, point_id: queries.retrieve_one(front.registry.get(name).shard, point_id)
    ),
}
# Query parameters of endpoints that take others than point operations do.
PARAMETERS = {"GET /telemetry": {"anonymize", "details_level", "per_collection", "timeout"}}
# What a key without write access may send besides GET.
READING_POSTS = {
    f"POST /collections/{{name}}/{path}"
    for path in ("points", "points/scroll", "points/count", "points/query", "points/query/batch", "points/query/groups")
} | {"POST /collections/{name}/facet"}
_FIXED = {endpoint: handler for endpoint, handler in _TABLE.items() if "{" not in endpoint}
_PATTERNS = [
    (endpoint, re.compile(re.sub(r"\{\w+\}", "([^/]+)", endpoint)), handler)
    for endpoint, handler in _TABLE.items()
    if "{" in endpoint
]


def find(method, path):
    """The endpoint's own name, its handler and the parts of the path; 501 where there is none."""
    line = f"{method} {path}"
    if line in _FIXED:
        return line, _FIXED[line], ()
    for endpoint, pattern, handler in _PATTERNS:
        match = pattern.fullmatch(line)
        if match:
            return endpoint, handler, match.groups()
    raise unsupported(line)
