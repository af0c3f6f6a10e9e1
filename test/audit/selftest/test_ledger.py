"""Each kind of damage to a ledger is planted and has to be found; the undamaged one has to pass."""

import unittest
from copy import deepcopy
from typing import Callable

from audit.ledger import Census, LedgerExpectation, check_ledger
from audit.report import Report

JOB_ID = "6f1c1e0e-2b1c-4a57-9d2e-1f6f3a1b2c3d"
TIMES = ("2026-11-21T10:00:00+00:00", "2026-11-21T10:00:05+00:00")
BASE = 1_745_000_000_000_000_001

JOB = {
    "id": JOB_ID,
    "source": "ferry/ip_summary",
    "collection": "memos_v1",
    "status": "completed",
    "reason": None,
    "started_at": TIMES[0],
    "ended_at": TIMES[1],
    "total_batches": 2,
    "completed_batches": 2,
    "failed_batches": 0,
    "cancelled_batches": 0,
    "total_records": 5,
    "processed_records": 4,
    "failed_records": 1,
    "written_records": 2,
    "unchanged_records": 1,
    "skipped_records": 1,
    "orphans": 0,
    "points_written": 4,
    "points_deleted": 0,
    "inputs": 2,
    "tokens": 100,
    "usd_per_million_tokens": 0.02,
    "cost": 0.000002,
}


def batch(number: int, first: int, last: int, **counts: object) -> dict:
    return {
        "batch_number": number,
        "status": "completed",
        "start_id": BASE + first,
        "end_id": BASE + last,
        "record_ids": list(range(BASE + first, BASE + last + 1)),
        "processed_count": 0,
        "failed_count": 0,
        "written_count": 0,
        "unchanged_count": 0,
        "skipped_count": 0,
        "orphans": 0,
        "points_written": 0,
        "points_deleted": 0,
        "inputs": 0,
        "tokens": 0,
        "error_message": None,
        "worker_id": "7@host",
        "claimed_at": TIMES[0],
        "ended_at": TIMES[1],
        **counts,
    }


BATCHES = [
    batch(0, 0, 2, processed_count=3, written_count=2, unchanged_count=1, points_written=4, inputs=2, tokens=100),
    batch(1, 3, 4, processed_count=1, failed_count=1, skipped_count=1),
]
FAILURES = [{"batch_number": 1, "record_id": BASE + 4, "code": "embedding_refused", "stage": "embed", "message": "It is."}]


def census() -> Census:
    found = Census()
    for at in range(5):
        writer = JOB_ID if at < 2 else "another"
        found.add(BASE + at, at == 3, [] if at > 2 else [writer, writer])
    return found


class Ledger(unittest.TestCase):
    def findings(self, damage: Callable[[dict, list[dict], list[dict]], object], undisturbed: bool = True) -> str:
        job, batches, failures = deepcopy(JOB), deepcopy(BATCHES), deepcopy(FAILURES)
        damage(job, batches, failures)
        report = Report()
        expected = LedgerExpectation("ferry/ip_summary", "memos_v1", undisturbed)
        check_ledger(expected, job, batches, failures, census(), report)
        return "\n".join(finding.reason for finding in report.tallies["wrong"].examples)

    def of_job(self, expected: str, **change: object) -> None:
        self.assertIn(expected, self.findings(lambda job, batches, failures: job.update(change)))

    def of_batch(self, reason: str, number: int = 0, **change: object) -> None:
        self.assertIn(reason, self.findings(lambda job, batches, failures: batches[number].update(change)))

    def of_failure(self, reason: str, **change: object) -> None:
        self.assertIn(reason, self.findings(lambda job, batches, failures: failures[0].update(change)))

    def test_undamaged(self) -> None:
        self.assertEqual(self.findings(lambda job, batches, failures: None), "")

    def test_disturbed(self) -> None:
        # An earlier attempt wrote the points of a record that the last one then found unchanged.
        def less(job: dict, batches: list[dict], failures: list[dict]) -> None:
            job.update(written_records=1, unchanged_records=2, points_written=2)
            batches[0].update(written_count=1, unchanged_count=2, points_written=2)

        self.assertEqual(self.findings(less, undisturbed=False), "")
        self.assertIn("written_count is 1, points of 2 records", self.findings(less))

        def more(job: dict, batches: list[dict], failures: list[dict]) -> None:
            batches[0].update(written_count=3, unchanged_count=0)

        self.assertIn("written_count is 3, points of 2 records", self.findings(more, undisturbed=False))

    def test_job(self) -> None:
        report = Report()
        check_ledger(LedgerExpectation("s", "c"), None, [], [], census(), report)
        self.assertEqual(report.tallies["wrong"].examples[0].reason, "the job has no row")
        self.of_job("its status is running", status="running")
        self.of_job("the job is failed, 0 batches", status="failed")
        self.of_job("the job is completed, 1 batches", failed_batches=1)
        self.of_job("has a reason to be paused", reason="requested")
        self.of_job("the job's source is another", source="ferry/other")
        self.of_job("the job's collection is another", collection="memos")
        self.of_job("the job has no end", ended_at=None)
        self.of_job("the job has no end after its start", started_at="2026-11-21T10:00:06+00:00")
        self.of_job("cost is not the price", cost=0.00001)
        self.of_job("cost is not the price", cost=None)

    def test_sums(self) -> None:
        for name in JOB:
            if name.endswith(("_records", "_batches")) or name in ("orphans", "points_written", "points_deleted", "inputs", "tokens"):
                self.of_job(f"{name} is {JOB[name] + 1}, ", **{name: JOB[name] + 1})

    def test_batches(self) -> None:
        self.assertIn("batch 0 is missing", self.findings(lambda job, batches, failures: batches.pop(0)))
        self.assertIn("there are 1 batches", self.findings(lambda job, batches, failures: batches.pop()))
        self.assertIn("2 rows lie in no batch", self.findings(lambda job, batches, failures: batches.pop()))
        self.assertIn("batch 1 is there 2 times", self.findings(lambda job, batches, failures: batches.append(batches[1])))
        self.of_batch("batch 0: the job has ended, its status is processing", status="processing")
        self.of_batch("batch 0: it is failed, and error_message is null", status="failed")
        self.of_batch("batch 0: it is completed, and error_message is there", error_message="Something.")
        self.of_batch("batch 0: it has no end after its beginning", ended_at=None)
        self.of_batch("batch 0: it names no worker", worker_id=None)
        self.of_batch("completed_batches is 2, its batches say 1", status="cancelled")

    def test_outcomes(self) -> None:
        self.of_batch("processed_count is 3, written, unchanged and skipped are 4", written_count=3)
        self.of_batch("written_count is 3, points of 2 records", written_count=3, unchanged_count=0)
        self.of_batch("skipped_count is 1, 0 rows have no content", skipped_count=1, unchanged_count=0)
        self.of_batch("it read 4 records, the table has 3", processed_count=4)
        self.of_batch("points_written is 5, 4 points carry", points_written=5)
        self.of_batch("tokens is 100, its batches say 101", tokens=101)

    def test_ranges(self) -> None:
        self.of_batch("batch 0: start_id is no id of the table", start_id=BASE - 1)
        self.of_batch("batch 1: end_id is no id of the table", 1, end_id=BASE + 9)
        self.of_batch("batch 1 begins before batch 0 ends", 1, start_id=BASE + 2)
        self.of_batch("batch 0: it read 3 records, the table has 2", start_id=BASE + 1)
        self.of_batch("batch 0: it read 3 records, start_id or end_id is null", start_id=None)
        self.of_batch("batch 0: record_ids are not those of the table", record_ids=[BASE, BASE + 1])
        self.assertEqual(self.findings(lambda job, batches, failures: batches[0].update(record_ids=None)), "")

    def test_failures(self) -> None:
        self.assertIn("failed_count is 1, 0 failures", self.findings(lambda job, batches, failures: failures.clear()))
        extra = {**FAILURES[0], "record_id": BASE + 3}
        self.assertIn("failed_count is 1, 2 failures", self.findings(lambda job, batches, failures: failures.append(extra)))
        self.of_failure(f"names record {BASE + 50}, which the table lacks", record_id=BASE + 50)
        self.of_failure(f"names record {BASE}, outside its range", record_id=BASE)
        self.of_failure("has no code, stage or message", code="")
        self.of_failure("has no code, stage or message", stage="somewhere")
        self.of_failure("failures name batch 7, which is not there", batch_number=7)
