"""The ledger: a job that has ended, its batches and its failures against each other, and against table and points.

The table must not have changed since the job read it.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Iterable, Iterator

from .report import Finding, Report

_SUMS = {
    "processed_records": "processed_count",
    "failed_records": "failed_count",
    "written_records": "written_count",
    "unchanged_records": "unchanged_count",
    "skipped_records": "skipped_count",
    "orphans": "orphans",
    "points_written": "points_written",
    "points_deleted": "points_deleted",
    "inputs": "inputs",
    "tokens": "tokens",
}
_STAGES = ("read", "chunk", "embed", "write", "batch")


@dataclass
class Census:
    """What table and target hold, as far as a ledger can be judged by it."""

    ids: list[int] = field(default_factory=list)
    """Of all rows, ascending."""
    blank: set[int] = field(default_factory=set)
    jobs: dict[int, Counter] = field(default_factory=dict)
    """Of a record's points, how many each job wrote."""

    def add(self, record: int, is_blank: bool, jobs: Iterable[object]) -> None:
        self.ids.append(record)
        if is_blank:
            self.blank.add(record)
        self.jobs[record] = Counter(map(str, jobs))

    def between(self, first: int, last: int) -> list[int]:
        return self.ids[bisect_left(self.ids, first) : bisect_right(self.ids, last)]


@dataclass(frozen=True)
class LedgerExpectation:
    source: str
    collection: str
    """Concrete, not an alias."""
    undisturbed: bool = False
    """No attempt of the job was cut short: what it says it wrote is exactly what carries its id."""


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _job_faults(expected: LedgerExpectation, job: dict) -> Iterator[str]:
    if job["status"] not in ("completed", "failed", "cancelled"):
        yield f"the job has ended, its status is {job['status']}"
    unfinished = job["failed_batches"] + job["cancelled_batches"]
    if (job["status"], unfinished > 0) in (("completed", True), ("failed", False)):
        yield f"the job is {job['status']}, {unfinished} batches failed or were cancelled"
    if job["reason"] is not None:
        yield "a job that has ended has a reason to be paused"
    if job["source"] != expected.source:
        yield "the job's source is another"
    if job["collection"] != expected.collection:
        yield "the job's collection is another"
    started, ended = _time(job["started_at"]), _time(job["ended_at"])
    if started is None or ended is None or ended < started:
        yield "the job has no end after its start"
    price = job.get("usd_per_million_tokens")
    if price is not None:
        due = Decimal(str(price)) * job["tokens"] / 1_000_000
        if job["cost"] is None or abs(Decimal(str(job["cost"])) - due) > Decimal("1e-9"):
            yield "cost is not the price of its tokens"


def _sum_faults(job: dict, batches: list[dict]) -> Iterator[str]:
    sums = {name: sum(batch[column] for batch in batches) for name, column in _SUMS.items()}
    for status in ("completed", "failed", "cancelled"):
        sums[f"{status}_batches"] = sum(batch["status"] == status for batch in batches)
    for name, due in sums.items():
        if job[name] != due:
            yield f"{name} is {job[name]}, its batches say {due}"
    if job["status"] != "completed":
        return
    if job["total_batches"] != len(batches):
        yield f"total_batches is {job['total_batches']}, there are {len(batches)} batches"
    read = sums["processed_records"] + sums["failed_records"]
    if job["total_records"] != read:
        yield f"total_records is {job['total_records']}, its batches read {read}"


def _number_faults(batches: list[dict]) -> Iterator[str]:
    counts = Counter(batch["batch_number"] for batch in batches)
    for number, times in sorted(counts.items()):
        if times > 1:
            yield f"batch {number} is there {times} times"
    for number in range(max(counts, default=-1)):
        if number not in counts:
            yield f"batch {number} is missing"


def _batch_faults(batch: dict) -> Iterator[str]:
    """A batch by itself."""
    status = batch["status"]
    if status not in ("completed", "failed", "cancelled"):
        yield f"the job has ended, its status is {status}"
        return
    started, ended = _time(batch["claimed_at"]), _time(batch["ended_at"])
    if started is None or ended is None or ended < started:
        yield "it has no end after its beginning"
    outcomes = batch["written_count"] + batch["unchanged_count"] + batch["skipped_count"]
    if batch["processed_count"] != outcomes:
        yield f"processed_count is {batch['processed_count']}, written, unchanged and skipped are {outcomes}"
    if (status == "failed") != (batch["error_message"] is not None):
        yield f"it is {status}, and error_message {'is null' if status == 'failed' else 'is there'}"
    if status == "completed" and not batch["worker_id"]:
        yield "it names no worker"


def _range_faults(batch: dict, census: Census) -> Iterator[str]:
    """A completed batch against the rows of its range."""
    first, last = batch["start_id"], batch["end_id"]
    read = batch["processed_count"] + batch["failed_count"]
    if first is None or last is None:
        if read > 0 or first != last:
            yield f"it read {read} records, start_id or end_id is null"
        return
    ids = census.between(first, last)
    if not ids or ids[0] != first:
        yield "start_id is no id of the table"
    if not ids or ids[-1] != last:
        yield "end_id is no id of the table"
    if len(ids) != read:
        yield f"it read {read} records, the table has {len(ids)} from start_id to end_id"
    listed = batch["record_ids"]
    if listed is not None and listed != ids:
        yield "record_ids are not those of the table"


def _outcome_faults(batch: dict, job_id: str, undisturbed: bool, failed: set[int], census: Census) -> Iterator[str]:
    """What a completed batch says that it did, against the points."""
    if batch["start_id"] is None or batch["end_id"] is None:
        return
    ids = census.between(batch["start_id"], batch["end_id"])
    blank = sum(record in census.blank and record not in failed for record in ids)
    # A row that cannot be read may seem blank to one and not to the other.
    if batch["skipped_count"] != blank:
        yield f"skipped_count is {batch['skipped_count']}, {blank} rows have no content"
    carrying = sum(census.jobs[record][job_id] > 0 for record in ids)
    points = sum(census.jobs[record][job_id] for record in ids)
    if batch["points_deleted"] > 0:
        return  # of records that only lost points nothing is left to see
    if batch["written_count"] > carrying or (undisturbed and batch["written_count"] != carrying):
        yield f"written_count is {batch['written_count']}, points of {carrying} records carry the job's id"
    if undisturbed and batch["points_written"] != points:
        yield f"points_written is {batch['points_written']}, {points} points carry the job's id"


def _failure_faults(batches: list[dict], failures: list[dict], census: Census) -> Iterator[str]:
    by_batch: dict[int, list[dict]] = defaultdict(list)
    for failure in failures:
        by_batch[failure["batch_number"]].append(failure)
    known = set(census.ids)
    for batch in batches:
        listed = by_batch.pop(batch["batch_number"], [])
        if len(listed) != batch["failed_count"]:
            yield f"batch {batch['batch_number']}: failed_count is {batch['failed_count']}, {len(listed)} failures are listed"
        for failure in listed:
            record = failure["record_id"]
            if record not in known:
                yield f"batch {batch['batch_number']}: a failure names record {record}, which the table lacks"
            elif batch["start_id"] is None or not batch["start_id"] <= record <= (batch["end_id"] or record):
                yield f"batch {batch['batch_number']}: a failure names record {record}, outside its range"
            if not failure["code"] or failure["stage"] not in _STAGES or not failure["message"]:
                yield f"batch {batch['batch_number']}: the failure of record {record} has no code, stage or message"
    for number in by_batch:
        yield f"failures name batch {number}, which is not there"


def _coverage_faults(job: dict, batches: list[dict], census: Census) -> Iterator[str]:
    """Together, the batches of a completed job read every row once, in their order."""
    if job["status"] != "completed":
        return
    ranges = [
        (batch["start_id"], batch["end_id"], batch["batch_number"])
        for batch in sorted(batches, key=lambda batch: batch["batch_number"])
        if batch["start_id"] is not None and batch["end_id"] is not None
    ]
    for (_, before, one), (after, _, other) in zip(ranges, ranges[1:]):
        if after <= before:
            yield f"batch {other} begins before batch {one} ends"
    outside = len(census.ids) - sum(len(census.between(first, last)) for first, last, _ in ranges)
    if outside > 0:
        yield f"{outside} rows lie in no batch"


def check_ledger(
    expected: LedgerExpectation,
    job: dict | None,
    batches: list[dict],
    failures: list[dict],
    census: Census,
    report: Report,
) -> None:
    """All that is wrong with what the ledger says of a job that has ended."""

    def wrong(reason: str) -> None:
        report.add(Finding("wrong", "ledger", reason))

    if job is None:
        return wrong("the job has no row")
    # What is wrong with the whole comes first: only the first findings are shown.
    for reason in (*_number_faults(batches), *_coverage_faults(job, batches, census), *_job_faults(expected, job)):
        wrong(reason)
    for reason in _sum_faults(job, batches):
        wrong(reason)
    failed = {failure["record_id"] for failure in failures}
    for batch in batches:
        faults = list(_batch_faults(batch))
        if batch["status"] == "completed":
            faults += _range_faults(batch, census)
            faults += _outcome_faults(batch, job["id"], expected.undisturbed, failed, census)
        for reason in faults:
            wrong(f"batch {batch['batch_number']}: {reason}")
    for reason in _failure_faults(batches, failures, census):
        wrong(reason)
    processed = sum(batch["processed_count"] for batch in batches)
    report.ledger = f"job {job['status']}, {len(batches)} batches, {processed} records processed"
    return None
