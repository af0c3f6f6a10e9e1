"""The query interface by groups: the best points of each of the best groups.

The engine ranks points and knows no groups, so one query is rarely enough: a large group can fill all its hits. As a
real server does, this asks again until the groups are full or there is nothing left to find.
"""

import qdrant_edge as edge

from .filters import parse_filter
from .group_keys import GroupKey
from .group_lookup import Lookup
from .payloads import parse_with_payload, parse_with_vector
from .queries import checked_body, describe_record, limit_of, scored_request

_KEYS = (
    "prefetch query using filter params score_threshold with_vector with_payload group_by group_size limit with_lookup"
).split()
_GROWTH = 4
# A real server stops after as many attempts. They suffice for a prefetch of 256 times its limit.
_MAX_FUSED_ROUNDS = 5


def query_groups(registry, name, body):
    shard = registry.get(name).shard
    checked_body(body, _KEYS, "body", ("lookup_from",))
    with_payload = parse_with_payload(body.get("with_payload"), False)
    with_vector = parse_with_vector(body.get("with_vector"))
    lookup = Lookup(registry, body["with_lookup"]) if body.get("with_lookup") is not None else None
    search = _Search(shard, body)
    groups = search.fused() if body.get("prefetch") else search.plain()
    details = _details(shard, groups, with_payload, with_vector)
    records = lookup.records(groups) if lookup else {}
    return {
        "groups": [
            {
                "id": group_id,
                "hits": [{**details[hit.id], "version": hit.version, "score": hit.score} for hit in hits.values()],
                **({"lookup": records[group_id]} if group_id in records else {}),
            }
            for group_id, hits in groups.items()
        ]
    }


class _Search:
    """Groups are kept as {group id: {point id: hit}}, best first: hits come ranked, and dictionaries keep order."""

    def __init__(self, shard, body):
        self._shard = shard
        self._body = body
        self._key = GroupKey(body)
        self._limit = limit_of(body.get("limit"), 10)
        self._group_size = limit_of(body.get("group_size"), 3, "group_size")
        given = parse_filter(body.get("filter"))
        self._conditions = [self._key.exists(), *([given] if given else [])]

    def plain(self):
        """Finds the groups, then fills them. A filter does not change a score, so each query skips what is settled."""
        groups = {}
        size = self._limit * self._group_size
        hits = self._hits(size)
        self._collect(hits, groups)
        while len(groups) < self._limit and len(hits) == size:
            size *= _GROWTH
            full = [group_id for group_id, members in groups.items() if len(members) == self._group_size]
            hits = self._hits(size, *([self._key.outside(full)] if full else []))
            self._collect(hits, groups)
        groups = self._best(groups)
        if len(hits) == size:
            self._fill(groups)
        return groups

    def _fill(self, groups):
        size = self._limit * self._group_size
        while True:
            lacking = {group_id: members for group_id, members in groups.items() if len(members) < self._group_size}
            if not lacking:
                return
            hits = self._hits(size, self._key.within(lacking))
            self._collect(hits, lacking, known_only=True)
            if len(hits) < size:
                return
            size *= _GROWTH

    def fused(self):
        """Looks deeper each time, prefetches included, and starts over.

        A rank depends on the points before it: with a filter for the groups that lack hits, their points would come
        first in every prefetch and outscore better ones.
        """
        groups = {}
        size = self._limit * self._group_size
        widen = self._limit
        found = -1
        for _ in range(_MAX_FUSED_ROUNDS):
            hits = self._hits(size, widen=widen)
            groups = {}
            self._collect(hits, groups)
            groups = self._best(groups)
            if len(hits) == found or len(groups) == self._limit and self._is_complete(groups):
                break
            found = len(hits)
            size *= _GROWTH
            widen *= _GROWTH
        return groups

    def _hits(self, size, *conditions, widen=1):
        return self._shard.query(
            scored_request(
                self._body,
                limit=size,
                offset=0,
                with_vector=False,
                with_payload=self._key.selector,
                condition=edge.Filter(must=[*self._conditions, *conditions]),
                widen=widen,
            )
        )

    def _collect(self, hits, groups, known_only=False):
        for hit in hits:
            for group_id in self._key.values(hit.payload):
                if known_only and group_id not in groups:
                    continue
                members = groups.setdefault(group_id, {})
                if len(members) < self._group_size:
                    members.setdefault(hit.id, hit)

    def _best(self, groups):
        return dict(list(groups.items())[: self._limit])

    def _is_complete(self, groups):
        """Whether every group has all it can get; most groups of chunks are smaller than `group_size`."""
        return all(
            len(members) == self._group_size or len(members) >= self._count(group_id)
            for group_id, members in groups.items()
        )

    def _count(self, group_id):
        condition = edge.Filter(must=[*self._conditions, self._key.within([group_id])])
        return self._shard.count(edge.CountRequest(exact=True, filter=condition))


def _details(shard, groups, with_payload, with_vector):
    """The payload and vectors asked for, of the hits that made it; the search itself read only the group's key."""
    ids = list({hit_id: None for members in groups.values() for hit_id in members})
    records = shard.retrieve(ids, with_payload, with_vector)
    return {record.id: describe_record(record) for record in records}
