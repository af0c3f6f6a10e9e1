"""The embedding function, coverage of ambiguous texts, token counts and reading by HTTP."""

import json
import math
import random
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from shutil import which

from audit.coverage import children_fault, parents_fault
from audit.embedding import Embedder, features, fnv1a_32
from audit.target import ledger_rows, points
from audit.tokens import TokenCounter

from .sample import BIG_ID


class Embedding(unittest.TestCase):
    def test_fnv(self) -> None:
        # Published test vectors of FNV-1a 32.
        self.assertEqual(fnv1a_32(b""), 0x811C9DC5)
        self.assertEqual(fnv1a_32(b"a"), 0xE40C292C)
        self.assertEqual(fnv1a_32(b"foobar"), 0xBF9CF968)

    def test_features(self) -> None:
        self.assertEqual(list(features("Ab1-cd é数据x")), ["ab1", "cd", "é", "数", "据", "é数", "数据", "x"])

    def test_never_zero(self) -> None:
        for text in ("...", " ", "\ud800", "\x00"):
            vector = Embedder(16).embed(text)
            self.assertEqual(math.hypot(*vector), 1.0, repr(text))
        self.assertEqual(Embedder(16).embed("\ud800"), Embedder(16).embed("\ufffd"))

    def test_fault(self) -> None:
        embedder = Embedder(32)
        vector = list(embedder.embed("hello ferry"))
        self.assertIsNone(embedder.fault("hello ferry", vector))
        self.assertIsNone(embedder.fault("hello ferry", [value + 9e-6 for value in vector]))
        self.assertIsNotNone(embedder.fault("hello ferry", [vector[0] + 2e-5, *vector[1:]]))
        self.assertIsNotNone(embedder.fault("hello ferry", [None, *vector[1:]]))


class Coverage(unittest.TestCase):
    def test_parents(self) -> None:
        self.assertIsNone(parents_fault(" ab ab\n", ["ab", "ab"]))
        self.assertIsNotNone(parents_fault("ab ab", ["ab"]))
        self.assertIsNotNone(parents_fault("ab ab", ["ab", "b ab"]))
        self.assertIsNotNone(parents_fault("a b", ["b", "a"]))
        self.assertIsNotNone(parents_fault("a b", ["ab"]))

    def test_children(self) -> None:
        self.assertIsNone(children_fault("one two three", ["one two", "two three"]))
        self.assertIsNone(children_fault("one two three", ["one", "two", "three"]))
        self.assertIn("gap", children_fault("one two three", ["one", "three"]) or "")
        self.assertIn("uncovered", children_fault("one two three", ["one", "two"]) or "")
        self.assertIn("gap", children_fault("one two three", ["two three", "one two"]) or "")
        self.assertIn("nothing new", children_fault("one two", ["one two", "two"]) or "")
        self.assertIn("not a part", children_fault("one two", ["one two!"]) or "")

    def test_ambiguous_places(self) -> None:
        # The first "ab" must be placed early enough for "b x" to begin inside it.
        self.assertIsNone(children_fault("ab ab x", ["ab ", "ab", "b x"]))
        self.assertIsNone(children_fault("a" * 50, ["a" * 20, "a" * 20, "a" * 20]))
        self.assertIsNotNone(children_fault("a" * 50, ["a" * 20, "a" * 20]))

    def test_random_cuts_with_overlap_pass_and_lost_pieces_fail(self) -> None:
        dice = random.Random(1)
        for _ in range(300):
            text = "".join(dice.choice("ab \n") for _ in range(60)).strip() or "a"
            children, start = [], 0
            while start < len(text):
                end = min(len(text), start + dice.randint(3, 15))
                if text[start:end].strip():
                    children.append(text[max(0, start - dice.randint(0, 2)) : end])
                start = end
            self.assertIsNone(children_fault(text, children), (text, children))
        unique = "".join(map(chr, range(0x4E00, 0x4E40)))
        children = [unique[at : at + 8] for at in range(0, 64, 8)]
        for lost in range(8):
            self.assertIsNotNone(children_fault(unique, children[:lost] + children[lost + 1 :]))


@unittest.skipIf(which("node") is None, "needs node")
class Tokens(unittest.TestCase):
    def test_counts(self) -> None:
        counter = TokenCounter("node")
        for text in ("hello world", "", "a\nb\u2028c", "<|endoftext|>", "x" * 40_000):
            counter.add(text)
        counts = counter.counts()
        counter.close()
        self.assertEqual(counts[:2], [2, 0])
        self.assertGreater(counts[3], 1)
        self.assertTrue(4_000 < counts[4] < 40_000)


class Served(BaseHTTPRequestHandler):
    """Five points over three pages; seven ledger rows."""

    def answer(self, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/collections/a%2Fb/points/scroll" and self.headers["api-key"] == "secret"
        at = asked.get("offset", 0)
        page = [{"id": number, "payload": {"summary_id": BIG_ID}} for number in range(at, min(5, at + asked["limit"]))]
        following = at + asked["limit"]
        self.answer({"result": {"points": page, "next_page_offset": following if following < 5 else None}})

    def do_GET(self) -> None:
        offset = int(self.path.split("offset=")[1])
        self.answer([{"n": number} for number in range(7)][offset : offset + 3])

    def log_message(self, format: str, *args: object) -> None:
        pass


class Reading(unittest.TestCase):
    def setUp(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Served)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def tearDown(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def test_all_pages(self) -> None:
        read = list(points(self.url, "secret", "a/b", page_size=2))
        self.assertEqual([point["id"] for point in read], [0, 1, 2, 3, 4])
        self.assertEqual(read[0]["payload"]["summary_id"], BIG_ID)
        self.assertEqual([row["n"] for row in ledger_rows(self.url, "key", "t", {}, page_size=3)], list(range(7)))


if __name__ == "__main__":
    unittest.main()
