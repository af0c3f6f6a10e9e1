"""Payload index schemas: from a request to the engine, and back for the collection's `payload_schema`."""

import qdrant_edge as edge

from .errors import boolean, choice, integer, known_keys, malformed, required, string, unsupported
from .schema_fields import memory
from .text_options import TOKENIZERS, describe_stemmer, describe_stopwords, parse_stemmer, parse_stopwords, spelling

_MEMORY = {"cold": edge.Memory.Cold, "cached": edge.Memory.Cached, "pinned": edge.Memory.Pinned}


def _parse_memory(value, where):
    spelled = memory(value, where)
    return None if spelled is None else _MEMORY[spelled]


_STORAGE = {"on_disk": boolean, "memory": _parse_memory, "enable_hnsw": boolean}

# Per type: the engine's parameter class and its options. A bare type name makes an index with defaults.
_TYPES = {
    "keyword": (edge.KeywordIndexParams, {**_STORAGE, "is_tenant": boolean, "prefix": boolean}),
    "integer": (
        edge.IntegerIndexParams,
        {**_STORAGE, "lookup": boolean, "range": boolean, "is_principal": boolean},
    ),
    "float": (edge.FloatIndexParams, {**_STORAGE, "is_principal": boolean}),
    "geo": (edge.GeoIndexParams, _STORAGE),
    "bool": (edge.BoolIndexParams, _STORAGE),
    "datetime": (edge.DatetimeIndexParams, {**_STORAGE, "is_principal": boolean}),
    "uuid": (edge.UuidIndexParams, {**_STORAGE, "is_tenant": boolean}),
    "text": (
        edge.TextIndexParams,
        {
            **_STORAGE,
            "tokenizer": lambda value, where: choice(value, TOKENIZERS, where),
            "min_token_len": integer,
            "max_token_len": integer,
            "lowercase": boolean,
            "ascii_folding": boolean,
            "phrase_matching": boolean,
            "stopwords": parse_stopwords,
            "stemmer": parse_stemmer,
        },
    ),
}
_PLAIN = {name: getattr(edge.PayloadSchemaType, name.capitalize()) for name in _TYPES}
_DESCRIBE = {
    "tokenizer": spelling,
    "memory": spelling,
    "stopwords": describe_stopwords,
    "stemmer": describe_stemmer,
}


def parse_index(body):
    """The operation that creates (or replaces) the index of one field."""
    known_keys(body, {"field_name", "field_schema"}, "body")
    field = string(required(body, "field_name", "body"), "field_name")
    schema = body.get("field_schema")
    if schema is None:
        raise unsupported("creating a payload index without `field_schema`")
    return edge.UpdateOperation.create_field_index(field, _schema(schema, "field_schema"))


def _schema(value, where):
    if type(value) is str:
        return choice(value, _PLAIN, where)
    if type(value) is not dict:
        raise malformed(f"{where}: expected a type or parameters")
    kind = value.get("type")
    if type(kind) is not str or kind not in _TYPES:
        raise malformed(f"{where}.type: unknown variant `{kind}`, expected one of {', '.join(_TYPES)}")
    params, options = _TYPES[kind]
    known_keys(value, {"type", *options}, where)
    return params(**{name: options[name](item, f"{where}.{name}") for name, item in value.items() if name != "type"})


def describe_indexes(payload_schema):
    return {field: _describe(info) for field, info in sorted(payload_schema.items())}


def _describe(info):
    kind = spelling(info.data_type)
    described = {"data_type": kind, "points": info.points}
    if info.params is not None:
        params = {"type": kind}
        for option in _TYPES[kind][1]:
            value = getattr(info.params, option)
            if value is not None:
                params[option] = _DESCRIBE[option](value) if option in _DESCRIBE else value
        described["params"] = params
    return described
