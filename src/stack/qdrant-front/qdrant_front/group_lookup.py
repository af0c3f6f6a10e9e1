"""Records that come with groups: the ids of groups are ids of points in another collection, or in the same."""

from .errors import known_keys, required, string
from .payloads import parse_with_payload, parse_with_vector
from .point_ids import is_id, parse_id
from .queries import describe_record


class Lookup:
    def __init__(self, registry, value):
        if type(value) is str:
            value = {"collection": value}
        known_keys(value, {"collection", "with_payload", "with_vectors", "with_vector"}, "with_lookup")
        self._shard = registry.get(string(required(value, "collection", "with_lookup"), "with_lookup.collection")).shard
        self._with_payload = parse_with_payload(value.get("with_payload"), True)
        self._with_vector = parse_with_vector(value.get("with_vectors", value.get("with_vector")))

    def records(self, groups):
        """By group id. A group whose id is no point id, or of no point, has none."""
        ids = {group_id: parse_id(group_id) for group_id in groups if is_id(group_id)}
        records = self._shard.retrieve(list(ids.values()), self._with_payload, self._with_vector)
        found = {record.id: describe_record(record) for record in records}
        return {group_id: found[point_id] for group_id, point_id in ids.items() if point_id in found}
