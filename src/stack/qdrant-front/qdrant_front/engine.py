"""From the stored configuration of a collection to the engine's own objects."""

import qdrant_edge as edge

from .schema_fields import is_unnamed

_MEMORY = {"cold": edge.Memory.Cold, "cached": edge.Memory.Cached, "pinned": edge.Memory.Pinned}
_DATATYPE = {
    "float32": edge.VectorStorageDatatype.Float32,
    "float16": edge.VectorStorageDatatype.Float16,
    "uint8": edge.VectorStorageDatatype.Uint8,
}
_BINARY_ENCODING = {
    "one_bit": edge.BinaryQuantizationEncoding.OneBit,
    "two_bits": edge.BinaryQuantizationEncoding.TwoBits,
    "one_and_half_bits": edge.BinaryQuantizationEncoding.OneAndHalfBits,
}
_BINARY_QUERY_ENCODING = {
    "default": edge.BinaryQuantizationQueryEncoding.Default,
    "binary": edge.BinaryQuantizationQueryEncoding.Binary,
    "scalar4bits": edge.BinaryQuantizationQueryEncoding.Scalar4Bits,
    "scalar8bits": edge.BinaryQuantizationQueryEncoding.Scalar8Bits,
}
_TURBO_BITS = {
    "bits1": edge.TurboQuantBitSize.Bits1,
    "bits1_5": edge.TurboQuantBitSize.Bits1_5,
    "bits2": edge.TurboQuantBitSize.Bits2,
    "bits4": edge.TurboQuantBitSize.Bits4,
}
_ENGINE_OPTIMIZERS = (
    "deleted_threshold",
    "vacuum_min_vector_number",
    "default_segment_number",
    "max_segment_size",
    "indexing_threshold",
    "prevent_unoptimized",
)


def engine_config(config):
    """The write-ahead log stays on: an acknowledged write has to survive a kill."""
    params = config["params"]
    vectors = params["vectors"]
    collection_hnsw = config["hnsw_config"]
    if is_unnamed(vectors):
        dense = _dense(vectors, collection_hnsw)
    else:
        dense = {name: _dense(field, collection_hnsw) for name, field in vectors.items()}
    return edge.EdgeConfig(
        vectors=dense or None,
        sparse_vectors={name: _sparse(field) for name, field in params.get("sparse_vectors", {}).items()} or None,
        on_disk_payload=params["on_disk_payload"],
        payload_memory=_memory(params.get("payload", {})),
        hnsw_config=_hnsw(collection_hnsw),
        quantization_config=_quantization(config["quantization_config"]),
        optimizers=edge.EdgeOptimizersConfig(
            **{key: config["optimizer_config"].get(key) for key in _ENGINE_OPTIMIZERS}
        ),
        wal_enabled=True,
    )


def _memory(section):
    return _MEMORY[section["memory"]] if "memory" in section else None


def _hnsw(section):
    return edge.HnswIndexConfig(**{**section, "memory": _memory(section)})


def _dense(field, collection_hnsw):
    hnsw = field.get("hnsw_config")
    return edge.EdgeVectorParams(
        size=field["size"],
        distance=getattr(edge.Distance, field["distance"]),
        on_disk=field.get("on_disk"),
        memory=_memory(field),
        datatype=_DATATYPE[field["datatype"]] if "datatype" in field else None,
        multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
        if "multivector_config" in field
        else None,
        hnsw_config=_hnsw({**collection_hnsw, **hnsw}) if hnsw else None,
        quantization_config=_quantization(field.get("quantization_config")),
    )


def _sparse(field):
    index = field.get("index", {})
    return edge.EdgeSparseVectorParams(
        modifier=edge.Modifier.Idf if field.get("modifier") == "idf" else None,
        full_scan_threshold=index.get("full_scan_threshold"),
        on_disk=index.get("on_disk"),
        memory=_memory(index),
        datatype=_DATATYPE[index["datatype"]] if "datatype" in index else None,
    )


def _quantization(section):
    if section is None:
        return None
    ((kind, options),) = section.items()
    common = {"always_ram": options.get("always_ram"), "memory": _memory(options)}
    if kind == "scalar":
        return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile=options.get("quantile"), **common)
    if kind == "product":
        return edge.ProductQuantizationConfig(getattr(edge.CompressionRatio, options["compression"].upper()), **common)
    if kind == "binary":
        return edge.BinaryQuantizationConfig(
            encoding=_BINARY_ENCODING.get(options.get("encoding")),
            query_encoding=_BINARY_QUERY_ENCODING.get(options.get("query_encoding")),
            **common,
        )
    return edge.TurboQuantQuantizationConfig(bits=_TURBO_BITS.get(options.get("bits")), **common)
