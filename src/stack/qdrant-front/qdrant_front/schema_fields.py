"""The sections of a collection's configuration as requests spell them: one parser for each, checking every key."""

from .errors import boolean, choice, integer, known_keys, malformed, number, required, unsupported


def one_of(*spellings):
    table = {spelling: spelling for spelling in spellings}
    return lambda value, where: choice(value, table, where)


def section(spec):
    """A parser for an object with the keys of `spec`; keeps what was given and is not null."""

    def parse(value, where):
        if value is None:
            return None
        known_keys(value, spec.keys(), where)
        parsed = {key: spec[key](item, f"{where}.{key}") for key, item in value.items()}
        return {key: item for key, item in parsed.items() if item is not None}

    return parse


def named(parse_item):
    def parse(value, where):
        if value is None:
            return None
        if type(value) is not dict:
            raise malformed(f"{where}: expected an object")
        return {name: parse_item(item, f"{where}.{name}") or {} for name, item in value.items()}

    return parse


def not_served(value, where):
    if value is not None:
        raise unsupported(f"`{where}`")


def _max_threads(value, where):
    return value if value == "auto" else integer(value, where)


memory = one_of("cold", "cached", "pinned")
hnsw = section(
    {
        "m": integer,
        "ef_construct": lambda value, where: integer(value, where, minimum=4),
        "full_scan_threshold": integer,
        "max_indexing_threads": integer,
        "on_disk": boolean,
        "memory": memory,
        "payload_m": integer,
        "inline_storage": boolean,
    }
)
_quantization_kinds = section(
    {
        "scalar": section({"type": one_of("int8"), "quantile": number, "always_ram": boolean, "memory": memory}),
        "product": section(
            {"compression": one_of("x4", "x8", "x16", "x32", "x64"), "always_ram": boolean, "memory": memory}
        ),
        "binary": section(
            {
                "always_ram": boolean,
                "memory": memory,
                "encoding": one_of("one_bit", "two_bits", "one_and_half_bits"),
                "query_encoding": one_of("default", "binary", "scalar4bits", "scalar8bits"),
            }
        ),
        "turbo": section(
            {"always_ram": boolean, "memory": memory, "bits": one_of("bits1", "bits1_5", "bits2", "bits4")}
        ),
    }
)


def quantization(value, where):
    parsed = _quantization_kinds(value, where)
    if parsed is not None and len(parsed) != 1:
        raise malformed(f"{where}: expected exactly one kind of quantization")
    if parsed and "product" in parsed:
        required(parsed["product"], "compression", f"{where}.product")
    return parsed


def quantization_or_disabled(value, where):
    return value if value == "Disabled" else quantization(value, where)


_dense_spec = {
    "size": lambda value, where: integer(value, where, minimum=1, maximum=65536),
    "distance": one_of("Cosine", "Euclid", "Dot", "Manhattan"),
    "hnsw_config": hnsw,
    "quantization_config": quantization,
    "on_disk": boolean,
    "memory": memory,
    "datatype": one_of("float32", "float16", "uint8"),
    "multivector_config": section({"comparator": one_of("max_sim")}),
}


def dense(value, where):
    if type(value) is dict and value.get("datatype") == "turbo4":
        raise unsupported("the datatype `turbo4`")
    parsed = section(_dense_spec)(value, where)
    if parsed is None:
        raise malformed(f"{where}: expected the parameters of a vector")
    required(parsed, "size", where)
    required(parsed, "distance", where)
    return parsed


def is_unnamed(value):
    """Tells the parameters of one unnamed vector from an object of named ones, where `size` would be a name."""
    return type(value) is dict and type(value.get("size")) is int


def vectors(value, where):
    if is_unnamed(value):
        return dense(value, where)
    return named(dense)(value, where)


sparse = section(
    {
        "modifier": one_of("none", "idf"),
        "index": section(
            {
                "full_scan_threshold": integer,
                "on_disk": boolean,
                "memory": memory,
                "datatype": one_of("float32", "float16", "uint8"),
            }
        ),
    }
)
optimizers = section(
    {
        "deleted_threshold": number,
        "vacuum_min_vector_number": integer,
        "default_segment_number": integer,
        "max_segment_size": integer,
        "memmap_threshold": integer,
        "indexing_threshold": integer,
        "flush_interval_sec": integer,
        "max_optimization_threads": _max_threads,
        "prevent_unoptimized": boolean,
    }
)
payload_storage = section({"memory": memory})


def at_least_one(value, where):
    return integer(value, where, minimum=1)


def metadata(value, where):
    if value is not None and type(value) is not dict:
        raise malformed(f"{where}: expected an object")
    return value
