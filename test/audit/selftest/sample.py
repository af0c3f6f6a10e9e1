"""A correct migration in memory, for tests to damage."""

import uuid

from audit.checks import Expectation, Point, point_id, vector_faults
from audit.embedding import Embedder
from audit.hashes import checksum, point_hash
from audit.source import Row

SOURCE = "ferry/ip_summary"
DIMENSIONS = 64
EXPECTED = Expectation(SOURCE, parent_tokens=1024, child_tokens=256, dimensions=DIMENSIONS, copied_columns=("title", "rank"))
EMBEDDER = Embedder(DIMENSIONS)
BIG_ID = 1_745_000_000_000_002_683
JOB = str(uuid.uuid4())


def raw_points(row: Row, parents: list[list[str]], source: str = SOURCE) -> list[dict]:
    """Points as Qdrant returns them; `parents` holds the children's texts of each parent, which do not overlap."""
    texts = ["".join(children) for children in parents]
    count = len(parents) + sum(map(len, parents))
    common = {
        "source": source,
        "summary_id": row.id,
        "member_code": row.tenant,
        **row.copied,
        "collection_ids": None,
        "checksum": checksum(row.content or "", 1024, 256, 32, "text-embedding-3-small", DIMENSIONS),
        "point_count": count,
        "job_id": JOB,
    }
    points = []
    chunk_index = 0
    for parent_idx, children in enumerate(parents):
        parent_id = point_id(source, row.id, "parent", parent_idx)
        payload = {**common, "type": "parent", "parent_idx": parent_idx, "text": texts[parent_idx]}
        points.append({"id": parent_id, "payload": payload, "vector": {}})
        for text in children:
            payload = {**common, "type": "child", "parent_idx": parent_idx, "chunk_index": chunk_index}
            payload |= {"parent_id": parent_id, "text": text}
            vector = {"child": list(EMBEDDER.embed(text)), "child-sparse": {"indices": [1, 2], "values": [0.5, 1.5]}}
            points.append({"id": point_id(source, row.id, "child", chunk_index), "payload": payload, "vector": vector})
            chunk_index += 1
    for point in points:
        point["payload"]["point_hash"] = point_hash(point["payload"], EXPECTED.copied_columns)
    return points


def judged(raw: dict) -> Point:
    return Point(raw["id"], raw["payload"], vector_faults(EMBEDDER, raw["payload"], raw["vector"]))


PARENTS = [["The ferry leaves at nine. ", "It carries rows. "], ["它把每一行文字 ", "运到对岸。"], ["Third part."]]
CONTENT = "\n".join("".join(children) for children in PARENTS) + "\u00a0\n"
ROW = Row(BIG_ID, "tenant-1", CONTENT, {"title": "Fähre", "rank": 7})


def sample() -> list[dict]:
    return raw_points(ROW, PARENTS)
