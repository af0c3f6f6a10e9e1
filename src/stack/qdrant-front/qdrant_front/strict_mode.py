"""Strict mode: what a collection's owner forbids, checked before a request reaches the engine.

Requests are looked at as they came; what is malformed in them is left to the parsers, which refuse it anyway. Limits
that would need a history of requests or the sizes of storages are refused at their creation with 501.
"""

from .errors import ApiError, boolean, integer, number
from .schema_fields import at_least_one, not_served, section

_NOT_SERVED = (
    "max_timeout max_collection_vector_size_bytes max_collection_payload_size_bytes read_rate_limit write_rate_limit"
    " multivector_config sparse_config max_resident_memory_percent"
).split()

strict_mode = section(
    {
        "enabled": boolean,
        "max_query_limit": at_least_one,
        "unindexed_filtering_retrieve": boolean,
        "unindexed_filtering_update": boolean,
        "search_max_hnsw_ef": integer,
        "search_allow_exact": boolean,
        "search_max_oversampling": number,
        "upsert_max_batchsize": integer,
        "search_max_batchsize": integer,
        "max_points_count": at_least_one,
        "filter_max_conditions": integer,
        "condition_max_size": integer,
        "max_payload_index_count": integer,
        **{name: not_served for name in _NOT_SERVED},
    }
)


def _refused(problem, advice):
    return ApiError(400, f"Bad request: {problem}. Help: {advice}")


class StrictMode:
    """The limits of one collection; without strict mode every check passes."""

    def __init__(self, collection):
        given = collection.config.get("strict_mode_config") or {}
        self._limits = given if given.get("enabled") else {}
        self._shard = collection.shard

    def _at_most(self, value, limit, what):
        allowed = self._limits.get(limit)
        if allowed is not None and type(value) in (int, float) and value > allowed:
            raise _refused(f"{what} is {value}, and at most {allowed} is allowed ({limit})", f"Lower {what}")

    def scroll(self, body):
        self._at_most(_given(body, "limit", 10), "max_query_limit", "limit")
        self._filter(body, "filter", "unindexed_filtering_retrieve")

    def count(self, body):
        if self._limits.get("search_allow_exact") is False and _given(body, "exact", True):
            raise _refused("Exact counts are switched off (search_allow_exact)", "Set exact to false")
        self._filter(body, "filter", "unindexed_filtering_retrieve")

    def facet(self, body):
        self._at_most(_given(body, "limit", 10), "max_query_limit", "limit")
        self._filter(body, "filter", "unindexed_filtering_retrieve")

    def query(self, body):
        self._ranked(body, _given(body, "limit", 10))

    def query_batch(self, body):
        searches = _list(body, "searches")
        self._at_most(len(searches), "search_max_batchsize", "the number of searches")
        for search in searches:
            self.query(search)

    def groups(self, body):
        limit, size = _given(body, "limit", 10), _given(body, "group_size", 3)
        if type(limit) is int and type(size) is int:
            self._ranked({**body, "prefetch": None}, limit * size)
        field = body.get("group_by")
        if self._limits.get("unindexed_filtering_retrieve") is False and type(field) is str:
            self._indexed(field)

    def _ranked(self, body, limit):
        if type(body) is not dict:
            return
        self._at_most(limit, "max_query_limit", "limit")
        self._filter(body, "filter", "unindexed_filtering_retrieve")
        params = body.get("params") if type(body.get("params")) is dict else {}
        self._at_most(params.get("hnsw_ef"), "search_max_hnsw_ef", "hnsw_ef")
        quantization = params.get("quantization") if type(params.get("quantization")) is dict else {}
        self._at_most(quantization.get("oversampling"), "search_max_oversampling", "oversampling")
        if self._limits.get("search_allow_exact") is False and params.get("exact"):
            raise _refused("Exact searches are switched off (search_allow_exact)", "Set exact to false")
        prefetches = body.get("prefetch")
        for prefetch in [prefetches] if type(prefetches) is dict else _list(body, "prefetch"):
            self._ranked(prefetch, _given(prefetch, "limit", 10))

    def write(self, kind, body):
        if not self._limits or type(body) is not dict:
            return
        if kind in ("upsert", "update_vectors"):
            points = len(_list(body, "points")) or len(_list(body.get("batch"), "ids"))
            self._at_most(points, "upsert_max_batchsize", "the number of points in a request")
        most = self._limits.get("max_points_count")
        if kind == "upsert" and most is not None and self._shard.info().points_count >= most:
            raise _refused(f"The collection has its {most} points already (max_points_count)", "Delete some first")
        for key in ("filter", "update_filter"):
            self._filter(body, key, "unindexed_filtering_update")

    def index(self, field):
        most = self._limits.get("max_payload_index_count")
        existing = self._shard.info().payload_schema if most is not None else {}
        if most is not None and field not in existing and len(existing) >= most:
            raise _refused(f"The collection has its {most} payload indexes already", "Delete one first")

    def _filter(self, body, key, permission):
        if not self._limits or type(body) is not dict:
            return
        conditions = list(_conditions(body.get(key)))
        self._at_most(len(conditions), "filter_max_conditions", "the number of conditions in a filter")
        for condition in conditions:
            self._at_most(_size(condition), "condition_max_size", "the size of a condition")
        if self._limits.get(permission) is False:
            for condition in conditions:
                field = _field(condition)
                if field is not None:
                    self._indexed(field)

    def _indexed(self, field):
        if field not in self._shard.info().payload_schema:
            raise _refused(f'Index required but not found for "{field}"', "Create a payload index for it")


def _given(body, key, default):
    value = body.get(key) if type(body) is dict else None
    return default if value is None else value


def _list(body, key):
    value = body.get(key) if type(body) is dict else None
    return value if type(value) is list else []


def _conditions(given):
    """All conditions of a filter, at any depth."""
    if type(given) is not dict:
        return
    for clause in ("must", "should", "must_not"):
        found = given.get(clause)
        yield from _each([found] if type(found) is dict else found)
    yield from _each(_list(given.get("min_should"), "conditions"))


def _each(conditions):
    for condition in conditions if type(conditions) is list else []:
        if type(condition) is not dict:
            continue
        if condition.keys() & {"must", "should", "must_not", "min_should"}:
            yield from _conditions(condition)
        elif type(condition.get("nested")) is dict:
            yield from _conditions(condition["nested"].get("filter"))
        else:
            yield condition


def _field(condition):
    """The payload field of a condition; None for those on ids and vectors."""
    for holder in (condition, condition.get("is_empty"), condition.get("is_null")):
        if type(holder) is dict and type(holder.get("key")) is str:
            return holder["key"]
    return None


def _size(condition):
    match = condition.get("match")
    listed = [match.get(kind) for kind in ("any", "except")] if type(match) is dict else []
    listed.append(condition.get("has_id"))
    return max((len(some) for some in listed if type(some) is list), default=0)
