"""Each kind of damage is planted and has to be found; the undamaged migration has to pass."""

import unittest
from dataclasses import replace
from typing import Callable

from audit.checks import Expectation, Point, check_all, check_record, needs_sparse, owner_fault, vector_faults
from audit.hashes import point_hash
from audit.report import Report
from audit.source import Row
from audit.sparse import SparseJudge

from .sample import BIG_ID, EMBEDDER, EXPECTED, JOB, ROW, judged, raw_points, sample


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
        text = "at nine. It carries rows. "
        other = raw_points(ROW, [[text]])[1]
        points[2]["payload"]["text"] = text
        points[2]["payload"]["point_hash"] = point_hash(points[2]["payload"], EXPECTED.copied_columns)
        points[2]["vector"] = other["vector"]
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
        self.assertIn("wrong: child 0: checksum is not that of the row's content", findings(sample(), replace(ROW, content="x")))
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
        self.change(1, "child 0: point_hash is not that of its payload", point_hash="b" * 64)
        self.change(1, "child 0: point_hash is not that of its payload", title="Boat")
        self.change(1, "child 0: title is not the row's", title="Boat")
        self.drop(1, "rank", "child 0: rank is not the row's")
        self.change(1, "its points have several collection_ids", collection_ids=[3])
        self.change(1, "job_id is no UUID", job_id="job-1")
        self.change(1, "point_count says 8, 9", point_count=9)
        self.change(1, "point_count says 8", point_count="8")

    def test_known_collection_ids(self) -> None:
        expected = replace(EXPECTED, collection_ids={BIG_ID: [5]})
        self.assertIn("wrong: child 0: collection_ids are not those of the record", findings(sample(), expected=expected))
        self.assertEqual(findings(sample(), expected=replace(EXPECTED, collection_ids={BIG_ID: None})), set())

    def test_source(self) -> None:
        child = sample()[1]
        stranger = {**child["payload"], "source": "other/table"}
        self.assertIn("source is not ours", owner_fault(EXPECTED, child["id"], stranger) or "")
        self.assertIsNone(owner_fault(EXPECTED, JOB, stranger))
        self.assertIsNone(owner_fault(EXPECTED, child["id"], {"title": "of somebody else"}))

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


class Sparse(unittest.TestCase):
    def test_judged(self) -> None:
        judge = SparseJudge(lambda text: {1: 0.5, 2: 1.5})
        child = sample()[1]

        def faults(indices: list[int], values: list[float]) -> tuple[str, ...]:
            vector = {**child["vector"], "child-sparse": {"indices": indices, "values": values}}
            return vector_faults(EMBEDDER, child["payload"], vector, judge)

        self.assertEqual(faults([2, 1], [1.5, 0.50001]), ())
        self.assertEqual(faults([1, 3], [0.5, 1.5]), ("sparse vector is not that of its text: other words",))
        self.assertEqual(faults([1, 2, 3], [0.5, 1.5, 1.0]), ("sparse vector is not that of its text: other words",))
        self.assertEqual(faults([1], [0.5]), ("sparse vector is not that of its text: other words",))
        self.assertEqual(faults([1, 2], [0.5, 1.6]), ("sparse vector is not that of its text: other weights",))
        self.assertEqual(faults([1, 1], [0.5, 0.5]), ("sparse vector has an index twice",))
        no_values = {**child["vector"], "child-sparse": {"indices": [], "values": None}}
        blank = {**child["payload"], "text": "..."}
        faults_of_blank = vector_faults(EMBEDDER, blank, {**no_values, "child": list(EMBEDDER.embed("..."))}, judge)
        self.assertEqual(faults_of_blank, ("sparse vector has no value for each index",))

    def test_needed(self) -> None:
        for text in ("word", "the ferry", "船", "ไทย"):
            self.assertTrue(needs_sparse(text), text)
        for text in ("...", "3 4711", "🙂👨‍👩‍👧", "the and of", "- _ -"):
            self.assertFalse(needs_sparse(text), text)
