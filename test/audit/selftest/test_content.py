"""Several columns and templates: what they have to become, and that a record made otherwise is found."""

import unittest
from dataclasses import replace

from audit.checks import check_record
from audit.content import content_shape

from .sample import EXPECTED, ROW, judged, raw_points


class Shapes(unittest.TestCase):
    def test_one_column_as_it_is(self) -> None:
        shape = content_shape(["a"], None)
        for text in (None, "", " \n", " {a} \\n "):
            self.assertEqual(shape([text]), text)

    def test_several_columns(self) -> None:
        shape = content_shape(["a", "b", "c"], None)
        self.assertEqual(shape([" x ", None, "y\n"]), " x \n\ny\n")
        self.assertEqual(shape(["x", "\u3000\ufeff", "y"]), "x\n\ny")
        self.assertIsNone(shape([None, " ", "\u00a0"]))
        # Not white space for JavaScript, though Python strips it.
        self.assertEqual(shape(["\x1f", None, "y"]), "\x1f\n\ny")

    def test_template(self) -> None:
        self.assertEqual(content_shape(["a", "b"], "{b}\\n\\n{A}")(["1", "2"]), "2\n\n1")
        self.assertEqual(content_shape(["a", "b"], "{{{a}}}\\t{{}}\\\\n{b}")(["1", None]), "{1}\t{}\\n")
        self.assertEqual(content_shape(["a b"], "x: {a b}")([" "]), None)
        self.assertEqual(content_shape(["a", "b"], "{a}|{b}")([" ", "{a}\\n"]), " |{a}\\n")

    def test_malformed(self) -> None:
        for template in ("{a}", "{a}{b}{b}", "{a}{b}{c}", "{a}{b", "{a}b}", "{a}{b}\\x", "{a}{b}\\", "{a}{{b}"):
            with self.assertRaises(ValueError, msg=template):
                content_shape(["a", "b"], template)


class Damage(unittest.TestCase):
    shape = staticmethod(content_shape(["title", "body"], "# {title}\\n\\n{body}"))

    def reasons(self, made_from: list[str | None]) -> list[str]:
        row = replace(ROW, content=self.shape(["Ferry", "It leaves at nine."]))
        points = [judged(point) for point in raw_points(row, [[self.shape(made_from) or ""]])]
        return [finding.reason for finding in check_record(EXPECTED, row, points)]

    def test_undamaged(self) -> None:
        self.assertEqual(self.reasons(["Ferry", "It leaves at nine."]), [])

    def test_found(self) -> None:
        for made_from in (["Ferry", None], [None, "It leaves at nine."], ["It leaves at nine.", "Ferry"], ["Ferry", "It"]):
            self.assertNotEqual(self.reasons(made_from), [], made_from)

    def test_words_alone(self) -> None:
        row = replace(ROW, content=self.shape([None, " "]))
        points = [judged(point) for point in raw_points(row, [["# "]])]
        self.assertTrue(all(finding.kind == "extra" for finding in check_record(EXPECTED, row, points)))


if __name__ == "__main__":
    unittest.main()
