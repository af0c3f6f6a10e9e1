"""The checks: what a finished migration looks like, for one record and for the whole."""

import re
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Iterable, Iterator

from .coverage import children_fault, is_blank, parents_fault
from .embedding import Embedder
from .hashes import checksum, point_hash
from .ledger import Census
from .report import Finding, Report
from .source import Row
from .sparse import SparseJudge

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://vector-ferry.dev/points")
DENSE, SPARSE = "child", "child-sparse"
_HEX_64 = re.compile("[0-9a-f]{64}")
# Numbers are no words to Qdrant's multilingual tokenizer.
_WORD = re.compile(r"[^\W\d_]+")
# A text of nothing but these has an empty BM25 vector, and rightly so.
_STOPWORDS = frozenset(
    "a about above after again against all am an and any are aren as at be because been before being below between both"
    " but by can couldn d did didn do does doesn doing don down during each few for from further had hadn has hasn have"
    " haven having he her here hers herself him himself his how i if in into is isn it its itself just ll m ma me mightn"
    " more most mustn my myself needn no nor not now o of off on once only or other our ours ourselves out over own re s"
    " same shan she should shouldn so some such t than that the their theirs them themselves then there these they this"
    " those through to too under until up ve very was wasn we were weren what when where which while who whom why will"
    " with won wouldn y you your yours yourself yourselves".split()
)


@dataclass(frozen=True, eq=False)
class Expectation:
    """What the run was told to do."""

    source: str
    parent_tokens: int
    child_tokens: int
    has_tenant: bool = True
    overlap_tokens: int = 32
    model: str = "text-embedding-3-small"
    dimensions: int = 1536
    copied_columns: tuple[str, ...] = ()
    collection_ids: dict[int, object] = field(default_factory=dict)
    """Of records where they are known; elsewhere the points of a record have to agree."""


@dataclass(frozen=True)
class Point:
    """A point of our source. Its vectors were judged when it was read, and dropped."""

    id: str
    payload: dict
    vector_faults: tuple[str, ...] = ()
    tokens: int | None = None
    """None where the text's bytes are within the limit already."""

    @property
    def type(self) -> object:
        return self.payload.get("type")

    @property
    def ordinal(self) -> object:
        return self.payload.get("chunk_index" if self.type == "child" else "parent_idx")

    @property
    def text(self) -> str:
        text = self.payload.get("text")
        return text if isinstance(text, str) else ""

    @property
    def name(self) -> str:
        return f"{self.type} {self.ordinal}"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def point_id(source: str, record: int, kind: str, ordinal: int) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{source}/{record}/{kind}/{ordinal}"))


def owner_fault(expected: Expectation, identifier: str, payload: dict) -> str | None:
    """Whether a point that says it is another source's has an id that only ours can have."""
    record, kind = payload.get("summary_id"), payload.get("type")
    ordinal = payload.get("chunk_index" if kind == "child" else "parent_idx")
    if not isinstance(record, int) or not _is_count(ordinal):
        return None
    if identifier != point_id(expected.source, record, str(kind), ordinal):  # type: ignore[arg-type]
        return None
    return f"{kind} {ordinal}: source is not ours, its id is"


def needs_sparse(text: str) -> bool:
    return any(word.lower() not in _STOPWORDS for word in _WORD.findall(text))


def vector_faults(embedder: Embedder, payload: dict, vector: object, judge: SparseJudge | None = None) -> tuple[str, ...]:
    """Children carry the vector of their text and a BM25 vector; parents none."""
    vectors = vector if isinstance(vector, dict) else {} if vector is None else {"": vector}
    if payload.get("type") != "child":
        return tuple(f"has a vector {name!r}" for name in vectors)
    text = payload.get("text")
    if not isinstance(text, str):
        return ()  # reported as a payload fault
    faults = []
    dense = embedder.fault(text, vectors.get(DENSE))
    if dense is not None:
        faults.append(dense)
    sparse = vectors.get(SPARSE)
    indices = sparse.get("indices") if isinstance(sparse, dict) else None
    values = sparse.get("values") if isinstance(sparse, dict) else None
    if needs_sparse(text) and not indices:
        faults.append("sparse vector is absent or empty")
    elif indices and (not isinstance(values, list) or len(values) != len(indices) or min(values) <= 0):
        faults.append("sparse vector has no positive value for each index")
    elif judge is not None:
        fault = judge.fault(text, sparse)
        if fault is not None:
            faults.append(fault)
    return tuple(faults)


def _payload_faults(expected: Expectation, row: Row, point: Point) -> Iterator[str]:
    payload = point.payload
    if payload.get("summary_id") != row.id or not isinstance(payload.get("summary_id"), int):
        yield "summary_id is not the row's id"
    if expected.has_tenant and payload.get("member_code") != row.tenant:
        yield "member_code is not the row's tenant"
    if "collection_ids" not in payload:
        yield "collection_ids is absent"
    if is_blank(point.text):
        yield "text is absent or blank"
    for key in ("checksum", "point_hash"):
        if not isinstance(payload.get(key), str) or not _HEX_64.fullmatch(payload[key]):
            yield f"{key} is not 64 hex digits"
    if not _is_uuid(payload.get("job_id")):
        yield "job_id is no UUID"
    if payload.get("point_hash") != point_hash(payload, expected.copied_columns):
        yield "point_hash is not that of its payload"
    if row.content is not None and payload.get("checksum") != _checksum(expected, row.content):
        yield "checksum is not that of the row's content"
    for name, value in row.copied.items():
        if payload.get(name) != value or isinstance(payload.get(name), bool) != isinstance(value, bool):
            yield f"{name} is not the row's"
    if row.id in expected.collection_ids and payload.get("collection_ids") != expected.collection_ids[row.id]:
        yield "collection_ids are not those of the record"
    limit = expected.child_tokens if point.type == "child" else expected.parent_tokens
    if point.tokens is not None and point.tokens > limit:
        yield f"text has {point.tokens} tokens, more than {limit}"
    yield from point.vector_faults


@lru_cache(maxsize=1)
def _checksum(expected: Expectation, content: str) -> str:
    return checksum(
        content,
        expected.parent_tokens,
        expected.child_tokens,
        expected.overlap_tokens,
        expected.model,
        expected.dimensions,
    )


def _place_faults(expected: Expectation, row: Row, point: Point, parents: dict[int, Point]) -> Iterator[str]:
    """Its id, and for a child the way to its parent."""
    if point.id != point_id(expected.source, row.id, str(point.type), int(point.ordinal)):  # type: ignore[call-overload]
        yield "its id is not the UUIDv5 of its place"
    parent_id, parent_idx = point.payload.get("parent_id"), point.payload.get("parent_idx")
    if point.type == "parent":
        if parent_id is not None:
            yield "a parent has a parent_id"
        return
    if not _is_count(parent_idx) or parent_idx not in parents:
        yield "parent_idx names no parent"
    elif parent_id != point_id(expected.source, row.id, "parent", parent_idx):
        yield "parent_id is not the id of its parent"


def _is_placed(point: Point) -> bool:
    return point.type in ("parent", "child") and _is_count(point.ordinal)


def _sequence(points: Iterable[Point], kind: str) -> tuple[dict[int, Point], list[tuple[str, str]]]:
    """The points of a type by ordinal, and what is missing or extra in 0, 1, 2, ..."""
    by_ordinal: dict[int, Point] = {}
    found = []
    for point in points:
        if point.type != kind:
            continue
        if point.ordinal in by_ordinal:
            found.append(("extra", f"{point.name} exists twice"))
        else:
            by_ordinal[point.ordinal] = point  # type: ignore[index]
    due = 0
    for ordinal in sorted(by_ordinal):
        if ordinal > due:
            gap = str(due) if ordinal == due + 1 else f"{due} to {ordinal - 1}"
            found.append(("missing", f"{kind} {gap} of those below {kind} {ordinal}"))
        due = ordinal + 1
    if due == 0:
        found.append(("missing", f"it has no {kind}"))
    return by_ordinal, found


def _text_faults(row: Row, parents: dict[int, Point], children: dict[int, Point]) -> Iterator[str]:
    """Coverage, for a record whose points are all there."""
    fault = parents_fault(row.content or "", [parents[ordinal].text for ordinal in sorted(parents)])
    if fault is not None:
        yield fault
    owners = [children[ordinal].payload.get("parent_idx") for ordinal in sorted(children)]
    if not all(map(_is_count, owners)):
        return  # reported by _place_faults
    if owners != sorted(owners):  # type: ignore[type-var]
        yield "the children of a parent do not follow each other"
        return
    texts_of: dict[object, list[str]] = defaultdict(list)
    for owner, ordinal in zip(owners, sorted(children)):
        texts_of[owner].append(children[ordinal].text)
    for ordinal, parent in sorted(parents.items()):
        fault = children_fault(parent.text, texts_of[ordinal]) if ordinal in texts_of else "it has no child"
        if fault is not None:
            yield f"parent {ordinal}: {fault}"


def check_record(expected: Expectation, row: Row, points: list[Point]) -> list[Finding]:
    """All that is missing, extra or wrong with the points of one row."""

    def named(kind: str, reason: str) -> Finding:
        return Finding(kind, str(row.id), reason)

    if is_blank(row.content):
        return [named("extra", f"{point.name} of a row without content") for point in points]
    if not points:
        return [named("missing", "the row has content and no point")]

    placed = [point for point in points if _is_placed(point)]
    found = [named("wrong", f"point {point.id} has no type or ordinal") for point in points if not _is_placed(point)]
    parents, parent_gaps = _sequence(placed, "parent")
    children, child_gaps = _sequence(placed, "child")
    found += [named(kind, reason) for kind, reason in parent_gaps + child_gaps]

    for point in placed:
        for fault in (*_place_faults(expected, row, point, parents), *_payload_faults(expected, row, point)):
            found.append(named("wrong", f"{point.name}: {fault}"))
    if len({str(point.payload.get("checksum")) for point in points}) > 1:
        found.append(named("wrong", "its points have several checksums"))
    if len({str(point.payload.get("collection_ids")) for point in points}) > 1:
        found.append(named("wrong", "its points have several collection_ids"))
    counts = [point.payload.get("point_count") for point in points]
    if any(not _is_count(count) or count != len(points) for count in counts):
        said = ", ".join(sorted({str(count) for count in counts}))
        found.append(named("wrong", f"it has {len(points)} points, point_count says {said}"))
    if not any(finding.kind == "missing" for finding in found):
        found += [named("wrong", fault) for fault in _text_faults(row, parents, children)]
    return found


def check_all(
    expected: Expectation,
    rows: Iterable[Row],
    points_by_record: dict[int, list[Point]],
    excused: frozenset[int],
    report: Report,
) -> Census:
    """Every row against its points, then the points that no row asked for. Empties `points_by_record`."""
    census = Census()
    for row in rows:
        report.rows += 1
        report.rows_with_content += not is_blank(row.content)
        points = points_by_record.pop(row.id, [])
        census.add(row.id, is_blank(row.content), [point.payload.get("job_id") for point in points])
        if row.id in excused:
            report.excused_rows += 1
            continue
        for finding in check_record(expected, row, points):
            report.add(finding)
    for record, points in points_by_record.items():
        for point in points:
            report.add(Finding("extra", str(record), f"{point.name} of a record that the table lacks"))
    return census
