"""Reads: retrieve, scroll, count and the query interface with prefetches and fusion."""

import qdrant_edge as edge

from .bm25 import is_document
from .errors import array, boolean, integer, known_keys, malformed, not_found, number, required, string, unsupported
from .filters import parse_filter
from .payloads import parse_with_payload, parse_with_vector
from .point_ids import parse_id, parse_ids
from .vectors import parse_vector

_PREFETCH = frozenset("prefetch query using filter params score_threshold limit lookup_from".split())
_QUERY = _PREFETCH | frozenset("shard_key offset with_vector with_payload".split())
_LATER = ("recommend", "discover", "context", "order_by", "formula", "sample", "relevance_feedback")


def checked_body(body, keys, where, not_served=()):
    known_keys(body, {*keys, "shard_key", *not_served}, where)
    for key in ("shard_key", *not_served):
        if body.get(key) is not None:
            raise unsupported(f"`{key}`")
    return body


def limit_of(value, default, where="limit"):
    return integer(default if value is None else value, where, minimum=1)


def describe_record(record):
    described = {"id": record.id}
    if record.payload is not None:
        described["payload"] = record.payload
    if record.vector is not None:
        described["vector"] = record.vector
    return described


def retrieve(shard, body):
    """The points in the order of the ids; those that do not exist are left out."""
    checked_body(body, ("ids", "with_payload", "with_vector"), "body")
    ids = list(dict.fromkeys(parse_ids(required(body, "ids", "body"), "ids")))
    records = shard.retrieve(
        ids, parse_with_payload(body.get("with_payload"), True), parse_with_vector(body.get("with_vector"))
    )
    found = {record.id: record for record in records}
    return [describe_record(found[point_id]) for point_id in ids if point_id in found]


def retrieve_one(shard, text):
    point_id = parse_id(int(text) if text.isascii() and text.isdigit() else text)
    records = shard.retrieve([point_id], True, True)
    if not records:
        raise not_found(f"Point with id {text} does not exists!")
    return describe_record(records[0])


def scroll(shard, body):
    checked_body(body, ("offset", "limit", "filter", "with_payload", "with_vector"), "body", ("order_by",))
    offset = body.get("offset")
    records, following = shard.scroll(
        edge.ScrollRequest(
            offset=None if offset is None else parse_id(offset),
            limit=limit_of(body.get("limit"), 10),
            filter=parse_filter(body.get("filter")),
            with_payload=parse_with_payload(body.get("with_payload"), True),
            with_vector=parse_with_vector(body.get("with_vector")),
        )
    )
    return {"points": [describe_record(record) for record in records], "next_page_offset": following}


def count(shard, body):
    checked_body(body, ("filter", "exact"), "body")
    exact = boolean(body.get("exact"), "exact")
    request = edge.CountRequest(exact=exact is not False, filter=parse_filter(body.get("filter")))
    return {"count": shard.count(request)}


def query(shard, body):
    checked_body(body, _QUERY, "body", ("lookup_from",))
    scored = shard.query(
        scored_request(
            body,
            limit=limit_of(body.get("limit"), 10),
            offset=integer(body.get("offset"), "offset") or 0,
            with_vector=parse_with_vector(body.get("with_vector")),
            with_payload=parse_with_payload(body.get("with_payload"), False),
            condition=parse_filter(body.get("filter")),
        )
    )
    return {"points": [{**describe_record(point), "version": point.version, "score": point.score} for point in scored]}


def scored_request(body, limit, offset, with_vector, with_payload, condition, widen=1):
    """What a query and a query by groups have in common; `widen` multiplies the limits of all prefetches."""
    return edge.QueryRequest(
        limit=limit,
        offset=offset,
        query=_scoring(body.get("query"), body.get("using"), "query"),
        prefetches=_prefetches(body.get("prefetch"), "prefetch", widen),
        with_vector=with_vector,
        with_payload=with_payload,
        filter=condition,
        score_threshold=number(body.get("score_threshold"), "score_threshold"),
        params=_params(body.get("params"), "params"),
    )


def query_batch(shard, body):
    known_keys(body, {"searches"}, "body")
    return [query(shard, search) for search in array(required(body, "searches", "body"), "searches")]


def _prefetches(value, where, widen):
    if value is None:
        return []
    if type(value) is dict:
        value = [value]
    return [_prefetch(item, where, widen) for item in array(value, where)]


def _prefetch(body, where, widen):
    known_keys(body, _PREFETCH, where)
    if body.get("lookup_from") is not None:
        raise unsupported("`lookup_from`")
    return edge.Prefetch(
        limit=limit_of(body.get("limit"), 10) * widen,
        query=_scoring(body.get("query"), body.get("using"), f"{where}.query"),
        prefetches=_prefetches(body.get("prefetch"), f"{where}.prefetch", widen),
        params=_params(body.get("params"), f"{where}.params"),
        filter=parse_filter(body.get("filter"), f"{where}.filter"),
        score_threshold=number(body.get("score_threshold"), f"{where}.score_threshold"),
    )


def _scoring(value, using, where):
    """What scores the points: a vector in any form, or the fusion of the prefetches."""
    string(using, "using")
    if value is None:
        return None
    if type(value) is dict and not is_document(value):
        if "fusion" in value:
            return _fusion(value, where)
        if "rrf" in value:
            return _rrf(value, where)
        for kind in _LATER:
            if kind in value:
                raise unsupported(f"the query `{kind}`")
        if "nearest" in value:
            known_keys(value, {"nearest", "mmr"}, where)
            if value.get("mmr") is not None:
                raise unsupported("`mmr`")
            return _nearest(value["nearest"], using, f"{where}.nearest")
    return _nearest(value, using, where)


def _nearest(value, using, where):
    if type(value) in (str, int):
        raise unsupported("a query by point id")
    return edge.Query.Nearest(parse_vector(value, where, query=True), using=using)


def _fusion(value, where):
    known_keys(value, {"fusion"}, where)
    if value["fusion"] == "rrf":
        return edge.Fusion.Rrf(2)
    if value["fusion"] == "dbsf":
        return edge.Fusion.Dbsf()
    raise malformed(f"{where}.fusion: unknown variant `{value['fusion']}`, expected one of rrf, dbsf")


def _rrf(value, where):
    known_keys(value, {"rrf"}, where)
    options = known_keys(value["rrf"], {"k", "weights"}, f"{where}.rrf")
    constant = integer(options.get("k"), f"{where}.rrf.k", minimum=1)
    weights = options.get("weights")
    if weights is not None:
        weights = [number(weight, f"{where}.rrf.weights") for weight in array(weights, f"{where}.rrf.weights")]
    return edge.Fusion.Rrf(2 if constant is None else constant, weights)


def _params(value, where):
    if value is None:
        return None
    known_keys(value, {"hnsw_ef", "exact", "quantization", "indexed_only", "acorn", "idf"}, where)
    for key in ("acorn", "idf"):
        if value.get(key) is not None:
            raise unsupported(f"`{where}.{key}`")
    return edge.SearchParams(
        hnsw_ef=integer(value.get("hnsw_ef"), f"{where}.hnsw_ef"),
        exact=boolean(value.get("exact"), f"{where}.exact") or False,
        quantization=_quantization(value.get("quantization"), f"{where}.quantization"),
        indexed_only=boolean(value.get("indexed_only"), f"{where}.indexed_only") or False,
    )


def _quantization(value, where):
    if value is None:
        return None
    known_keys(value, {"ignore", "rescore", "oversampling"}, where)
    return edge.QuantizationSearchParams(
        ignore=boolean(value.get("ignore"), f"{where}.ignore") or False,
        rescore=boolean(value.get("rescore"), f"{where}.rescore"),
        oversampling=number(value.get("oversampling"), f"{where}.oversampling"),
    )
