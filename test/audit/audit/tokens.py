"""Token counts of chunks, by count-tokens.mjs in one batch.

No chunk has more cl100k_base tokens than UTF-8 bytes, so a text within its limit in bytes is never counted.
"""

import json
import subprocess
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "count-tokens.mjs"


class TokenCounter:
    """Collects texts in a temporary file, then counts them."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._file = tempfile.TemporaryFile()
        self._texts = 0

    def add(self, text: str) -> int:
        """Notes a text; its count will be at the returned place of counts()."""
        # ASCII only: every other character is escaped, so no character can end the line.
        self._file.write(json.dumps(text).encode("ascii") + b"\n")
        self._texts += 1
        return self._texts - 1

    def counts(self) -> list[int]:
        if self._texts == 0:
            return []
        self._file.seek(0)
        done = subprocess.run([self._node, str(SCRIPT)], stdin=self._file, capture_output=True, check=False)
        counts = [int(line) for line in done.stdout.split()]
        if done.returncode != 0 or len(counts) != self._texts:
            raise RuntimeError(f"count-tokens.mjs failed: {done.stderr.decode('utf-8', 'replace')[-400:]}")
        return counts

    def close(self) -> None:
        self._file.close()
