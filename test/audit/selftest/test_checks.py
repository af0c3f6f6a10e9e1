"""Each kind of damage is planted and has to be found; the undamaged migration has to pass."""

import unittest
from dataclasses import replace
from typing import Callable

from audit.checks import Expectation, Point, check_all, check_ledger, check_record, needs_sparse
from audit.report import Report
from audit.source import Row

from .sample import BIG_ID, EXPECTED, JOB, ROW, judged, raw_points, sample


def findings(points: list[dict], row: Row = ROW, expected: Expectation = EXPECTED) -> set[str]:
    found = check_record(expected, row, [judged(point) for point in points])
    return {f"{finding.kind}: {finding.reason}" for finding in found}


class Undamaged(unittest.TestCase):
    def test_passes(self) -> None:
        self.assertEqual(findings(sample()), set())

    def test_passes_in_any_order(self) -> None:
        self.assertEqual(findings(sample()[::-1]), set())

    def test_blank_rows_have_no_points(self) -> None:
        for content in (None, "", " \t\n", "\u3000\ufeff"):
            self.assertEqual(findings([], Row(1, "t", content)), set())
        # Not white space for JavaScript, though Python strips them.
        self.assertEqual(findings([], Row(1, "t", "\x1f\x85")), {"missing: the row has content and no point"})

    def test_overlapping_children(self) -> None:
        points = sample()
        points[2]["payload"]["text"] = "at nine. It carries rows. "
        points[2]["vector"] = raw_points(ROW, [[points[2]["payload"]["text"]]])[1]["vector"]
        self.assertEqual(findings(points), set())

    def test_row_without_tenant_column(self) -> None:
        row = replace(ROW, tenant=None)
        self.assertEqual(findings(sample(), row, replace(EXPECTED, has_tenant=False)), set())


class Damage(unittest.TestCase):
    """`sample()` is parent 0, child 0, child 1, parent 1, child 2, child 3, parent 2, child 4."""

    def expect(self, damage: Callable[[list[dict]], object], *reasons: str) -> None:
        points = sample()
        damage(points)
        found = findings(points)
        for reason in reasons:
            self.assertTrue(any(reason in text for text in found), f"{reason!r} not in {found}")

    def change(self, at: int, reason: str, **payload: object) -> None:
        self.expect(lambda points: points[at]["payload"].update(payload), reason)

    def drop(self, at: int, key: str, reason: str) -> None:
        self.expect(lambda points: points[at]["payload"].pop(key), reason)

    def test_missing_points(self) -> None:
        self.expect(lambda points: points.clear(), "missing: the row has content and no point")
        self.expect(lambda points: points.pop(3), "missing: parent 1 of those below parent 2", "point_count says 8")
        self.expect(lambda points: points.pop(4), "missing: child 2 of those below child 3")
        self.expect(lambda points: points.pop(), "parent 2: it has no child", "it has 7 points, point_count says 8")
        self.expect(lambda points: points.__delitem__(slice(1, 3)), "missing: child 0 to 1 of those below child 2")
        self.expect(lambda points: points.__delitem__(slice(6, 8)), "do not cover the row's text")

    def test_extra_points(self) -> None:
        self.expect(lambda points: points.append({**points[1], "id": JOB}), "extra: child 0 exists twice")
        blank = Row(BIG_ID, "tenant-1", " ")
        self.assertEqual(len(findings(sample(), blank)), 8)
        self.assertTrue(all(reason.startswith("extra: ") for reason in findings(sample(), blank)))

    def test_stale_chunk_of_a_row_that_shrank(self) -> None:
        shrunk = Row(BIG_ID, "tenant-1", "Third part.")
        points = raw_points(shrunk, [["Third part."]]) + sample()[4:5]
        self.assertIn("missing: child 1 of those below child 2", findings(points, shrunk))
        points = raw_points(shrunk, [["Third part."]]) + sample()[2:3]
        self.assertIn("wrong: it has 3 points, point_count says 2, 8", findings(points, shrunk))
        self.assertTrue(any("its child 1 is not a part" in reason for reason in findings(points, shrunk)))

    def test_outdated_text(self) -> None:
        changed = replace(ROW, content=(ROW.content or "") + "One sentence more.")
        self.assertIn("wrong: the parents do not cover the row's text exactly", findings(sample(), changed))
        changed = replace(ROW, content=(ROW.content or "").replace("nine", "ten"))
        self.assertIn("wrong: the text of parent 0 does not occur in the row", findings(sample(), changed))

    def test_places(self) -> None:
        self.expect(lambda points: points[1].update(id=points[2]["id"]), "child 0: its id is not the UUIDv5")
        self.change(1, "child 0: parent_idx names no parent", parent_idx=3)
        self.change(1, "children of a parent do not follow", parent_idx=2)
        self.change(1, "child 0: parent_id is not the id of its parent", parent_id=None)
        self.change(0, "parent 0: a parent has a parent_id", parent_id=JOB)
        self.change(1, "has no type or ordinal", type="piece")
        self.change(1, "has no type or ordinal", chunk_index="0")

    def test_payload(self) -> None:
        self.change(0, "summary_id is not", summary_id=BIG_ID + 1)
        self.change(0, "summary_id is not", summary_id=float(BIG_ID))
        self.change(0, "member_code is not", member_code="tenant-2")
        self.drop(0, "collection_ids", "collection_ids is absent")
        self.change(1, "text is absent or blank", text="")
        self.drop(1, "text", "text is absent or blank")
        self.change(1, "checksum is not 64 hex digits", checksum="A" * 64)
        self.change(1, "its points have several checksums", checksum="c" * 64)
        self.drop(1, "point_hash", "point_hash is not 64 hex digits")
        self.change(1, "job_id is no UUID", job_id="job-1")
        self.change(1, "point_count says 8, 9", point_count=9)
        self.change(1, "point_count says 8", point_count="8")

    def test_vectors(self) -> None:
        def vector(at: int, name: str, value: object) -> Callable[[list[dict]], object]:
            return lambda points: points[at]["vector"].update({name: value})

        self.expect(lambda points: points[1].update(vector=points[2]["vector"]), "child 0: dense vector is not that of")
        self.expect(lambda points: points[1].update(vector=None), "dense vector is not a list", "sparse vector is absent")
        self.expect(vector(1, "child", [float("nan")] * 64), "dense vector is not that of its text")
        self.expect(vector(1, "child", [0.125] * 63), "dense vector is not a list of 64")
        self.expect(vector(1, "child-sparse", {"indices": [], "values": []}), "sparse vector is absent or empty")
        self.expect(vector(1, "child-sparse", {"indices": [1, 2], "values": [1.0]}), "sparse vector has no positive value")
        self.expect(vector(0, "child", [0.125] * 64), "parent 0: has a vector 'child'")

    def test_size(self) -> None:
        points = [judged(point) for point in sample()]
        points[0] = replace(points[0], tokens=1025)
        points[1] = replace(points[1], tokens=257)
        points[2] = replace(points[2], tokens=256)
        reasons = [finding.reason for finding in check_record(EXPECTED, ROW, points)]
        self.assertEqual(
            reasons,
            ["parent 0: text has 1025 tokens, more than 1024", "child 0: text has 257 tokens, more than 256"],
        )

    def test_no_content_in_reasons(self) -> None:
        points = [judged(point) for point in sample()[1:]]
        for finding in check_record(EXPECTED, replace(ROW, content="Something else"), points):
            self.assertNotIn("ferry", finding.reason)


class Whole(unittest.TestCase):
    def run_all(self, rows: list[Row], points: list[dict], excused: frozenset[int] = frozenset()) -> Report:
        by_record: dict[int, list[Point]] = {}
        for point in map(judged, points):
            by_record.setdefault(point.payload["summary_id"], []).append(point)
        report = Report()
        check_all(EXPECTED, rows, by_record, excused, report)
        return report

    def test_neighbours_beyond_2_53(self) -> None:
        rows = [Row(BIG_ID + step, "t", "one") for step in range(3)]
        points = [point for row in rows for point in raw_points(row, [["one"]])]
        report = self.run_all(rows, points)
        self.assertTrue(report.ok)
        self.assertEqual((report.rows, report.rows_with_content), (3, 3))

    def test_unknown_record(self) -> None:
        report = self.run_all([], sample())
        self.assertEqual(report.tallies["extra"].count, 8)
        self.assertEqual(report.tallies["extra"].examples[0].record, str(BIG_ID))

    def test_excused_rows(self) -> None:
        rows = [ROW, Row(1, "t", "never embedded"), Row(2, "t", "neither")]
        report = self.run_all(rows, sample()[1:], frozenset({BIG_ID, 1}))
        self.assertEqual({kind: tally.count for kind, tally in report.tallies.items()}, {"missing": 1, "extra": 0, "wrong": 0})
        self.assertEqual(report.excused_rows, 2)

    def test_examples_are_limited(self) -> None:
        report = self.run_all([Row(step, "t", "text") for step in range(50)], [])
        self.assertEqual(report.tallies["missing"].count, 50)
        self.assertEqual(len(report.as_json()["missing"]["examples"]), 10)
        self.assertIn("NOT PROVEN", report.as_text())


class Ledger(unittest.TestCase):
    job = {"status": "completed", "total_batches": 2, "completed_batches": 1, "failed_batches": 1}
    job |= {"processed_records": 150, "failed_records": 3}
    batches = [
        {"batch_number": 0, "status": "completed", "processed_count": 100, "failed_count": 0},
        {"batch_number": 1, "status": "failed", "processed_count": 50, "failed_count": 3},
    ]

    def wrong(self, job: dict | None, batches: list[dict]) -> int:
        report = Report()
        check_ledger(job, batches, report)
        return report.tallies["wrong"].count

    def test_sums(self) -> None:
        self.assertEqual(self.wrong(self.job, self.batches), 0)
        self.assertEqual(self.wrong(None, []), 1)
        self.assertEqual(self.wrong({**self.job, "processed_records": 151}, self.batches), 1)
        self.assertEqual(self.wrong({**self.job, "completed_batches": 2, "failed_batches": 0}, self.batches), 2)
        self.assertEqual(self.wrong(self.job, self.batches[:1]), 4)
        self.assertGreaterEqual(self.wrong(self.job, [*self.batches, self.batches[1]]), 1)


class Sparse(unittest.TestCase):
    def test_needed(self) -> None:
        for text in ("word", "the ferry", "3", "船", "ไทย"):
            self.assertTrue(needs_sparse(text), text)
        for text in ("...", "🙂👨‍👩‍👧", "the and of", "- _ -"):
            self.assertFalse(needs_sparse(text), text)
