"""Facets: how many points have each value of a payload field, most frequent first.

The engine counts from the field's payload index and refuses a field without one, as a real server does.
"""

import qdrant_edge as edge

from .errors import boolean, required, string
from .filters import parse_filter
from .queries import checked_body, limit_of


def facet(shard, body):
    checked_body(body, ("key", "limit", "filter", "exact"), "body")
    hits = shard.facet(
        edge.FacetRequest(
            string(required(body, "key", "body"), "key"),
            limit=limit_of(body.get("limit"), 10),
            exact=boolean(body.get("exact"), "exact") or False,
            filter=parse_filter(body.get("filter")),
        )
    )
    return {"hits": [{"value": hit.value, "count": hit.count} for hit in hits.hits]}
