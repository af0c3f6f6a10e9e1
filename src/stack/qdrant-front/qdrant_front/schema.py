"""The configuration of a collection: what a request may say, what is stored, and what `GET` shows.

The stored form is the JSON that a real server shows, defaults included, and engine.py builds the engine's objects from
it. Sharding, replication, WAL sizes and flush intervals do not exist in the engine; they are kept and shown, for they
change no result.
"""

from copy import deepcopy

from .errors import boolean, integer, unsupported, wrong_input
from .schema_fields import (
    at_least_one,
    hnsw,
    is_unnamed,
    memory,
    metadata,
    named,
    one_of,
    optimizers,
    payload_storage,
    quantization,
    quantization_or_disabled,
    section,
    sparse,
    vectors,
)
from .strict_mode import strict_mode

_HNSW_DEFAULTS = {
    "m": 16,
    "ef_construct": 100,
    "full_scan_threshold": 10000,
    "max_indexing_threads": 0,
    "on_disk": False,
}
_OPTIMIZER_DEFAULTS = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "max_segment_size": None,
    "memmap_threshold": None,
    "indexing_threshold": 10000,
    "flush_interval_sec": 1,
    "max_optimization_threads": None,
}
_WAL_DEFAULTS = {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}

_create = section(
    {
        "vectors": vectors,
        "sparse_vectors": named(sparse),
        "shard_number": at_least_one,
        "sharding_method": one_of("auto"),
        "replication_factor": at_least_one,
        "write_consistency_factor": at_least_one,
        "on_disk_payload": boolean,
        "payload": payload_storage,
        "hnsw_config": hnsw,
        "wal_config": section({key: integer for key in _WAL_DEFAULTS}),
        "optimizers_config": optimizers,
        "quantization_config": quantization,
        "strict_mode_config": strict_mode,
        "metadata": metadata,
    }
)
_update = section(
    {
        "vectors": named(
            section(
                {
                    "hnsw_config": hnsw,
                    "quantization_config": quantization_or_disabled,
                    "on_disk": boolean,
                    "memory": memory,
                }
            )
        ),
        "sparse_vectors": named(sparse),
        "params": section(
            {
                "replication_factor": at_least_one,
                "write_consistency_factor": at_least_one,
                "read_fan_out_factor": integer,
                "read_fan_out_delay_ms": integer,
                "on_disk_payload": boolean,
                "payload": payload_storage,
            }
        ),
        "hnsw_config": hnsw,
        "optimizers_config": optimizers,
        "quantization_config": quantization_or_disabled,
        "strict_mode_config": strict_mode,
        "metadata": metadata,
    }
)


def create_config(body):
    """The stored configuration of a new collection."""
    given = _create(body, "body")
    if not given.get("vectors") and not given.get("sparse_vectors"):
        raise unsupported("a collection without any vector")
    params = {
        "vectors": given.get("vectors", {}),
        "shard_number": given.get("shard_number", 1),
        "replication_factor": given.get("replication_factor", 1),
        "write_consistency_factor": given.get("write_consistency_factor", 1),
        "on_disk_payload": given.get("on_disk_payload", True),
    }
    for optional in ("sparse_vectors", "sharding_method", "payload"):
        if optional in given:
            params[optional] = given[optional]
    config = {
        "params": params,
        "hnsw_config": {**_HNSW_DEFAULTS, **given.get("hnsw_config", {})},
        "optimizer_config": {**_OPTIMIZER_DEFAULTS, **given.get("optimizers_config", {})},
        "wal_config": {**_WAL_DEFAULTS, **given.get("wal_config", {})},
        "quantization_config": given.get("quantization_config"),
    }
    for optional in ("strict_mode_config", "metadata"):
        if given.get(optional):
            config[optional] = given[optional]
    return config


def updated_config(config, body):
    """The stored configuration after a PATCH; what is not named stays."""
    given = _update(body, "body")
    config = deepcopy(config)
    params = config["params"]
    dense_fields = {"": params["vectors"]} if is_unnamed(params["vectors"]) else params["vectors"]
    for name, changes in given.get("vectors", {}).items():
        field = _existing(dense_fields, name)
        for key, value in changes.items():
            _change(field, key, value, nested=key == "hnsw_config")
    for name, changes in given.get("sparse_vectors", {}).items():
        field = _existing(params.get("sparse_vectors", {}), name)
        for key, value in changes.items():
            _change(field, key, value, nested=key == "index")
    params.update(given.get("params", {}))
    config["hnsw_config"].update(given.get("hnsw_config", {}))
    config["optimizer_config"].update(given.get("optimizers_config", {}))
    if "quantization_config" in given:
        disabled = given["quantization_config"] == "Disabled"
        config["quantization_config"] = None if disabled else given["quantization_config"]
    if given.get("strict_mode_config"):
        config["strict_mode_config"] = {**config.get("strict_mode_config", {}), **given["strict_mode_config"]}
    # Metadata merges key by key; null removes a key.
    merged = {**config.get("metadata", {}), **given.get("metadata", {})}
    config["metadata"] = {key: value for key, value in merged.items() if value is not None}
    if not config["metadata"]:
        del config["metadata"]
    return config


def _existing(fields, name):
    if name not in fields:
        raise wrong_input(f"Not existing vector name error: {name}")
    return fields[name]


def _change(field, key, value, nested):
    if value == "Disabled":
        field.pop(key, None)
    elif nested:
        field[key] = {**field.get(key, {}), **value}
    else:
        field[key] = value
