"""What the audit found: counts and a few examples. Never content of a row."""

from dataclasses import dataclass, field

MAX_EXAMPLES = 10


@dataclass(frozen=True)
class Finding:
    """Something `missing`, `extra` or `wrong`. The reason names ordinals and fields, never text."""

    kind: str
    record: str
    reason: str


@dataclass
class Tally:
    count: int = 0
    examples: list[Finding] = field(default_factory=list)


@dataclass
class Report:
    rows: int = 0
    rows_with_content: int = 0
    excused_rows: int = 0
    points: int = 0
    parents: int = 0
    children: int = 0
    foreign_points: int = 0
    foreign_digest: str = ""
    """Over all points of other sources, in any order."""
    ledger: str = "not asked for"
    seconds: float = 0.0
    tallies: dict[str, Tally] = field(default_factory=lambda: {kind: Tally() for kind in ("missing", "extra", "wrong")})

    def add(self, finding: Finding) -> None:
        tally = self.tallies[finding.kind]
        tally.count += 1
        if len(tally.examples) < MAX_EXAMPLES:
            tally.examples.append(finding)

    @property
    def ok(self) -> bool:
        return all(tally.count == 0 for tally in self.tallies.values())

    def as_json(self) -> dict:
        """For machines. Ids are strings, since JavaScript would round them."""
        return {
            "ok": self.ok,
            "rows": self.rows,
            "rowsWithContent": self.rows_with_content,
            "excusedRows": self.excused_rows,
            "points": self.points,
            "parents": self.parents,
            "children": self.children,
            "foreignPoints": self.foreign_points,
            "foreignDigest": self.foreign_digest,
            "ledger": self.ledger,
            "seconds": round(self.seconds, 2),
            **{
                kind: {
                    "count": tally.count,
                    "examples": [{"record": one.record, "reason": one.reason} for one in tally.examples],
                }
                for kind, tally in self.tallies.items()
            },
        }

    def as_text(self) -> str:
        lines = [
            ("rows", self.rows, f"{self.rows_with_content} with content, {self.excused_rows} excused"),
            ("points", self.points, f"{self.parents} parents, {self.children} children"),
            ("foreign points", self.foreign_points, "not judged"),
            *((kind, tally.count, "") for kind, tally in self.tallies.items()),
        ]
        text = [f"{name:<16}{count:>10,}  {note}".rstrip() for name, count, note in lines]
        text.append(f"{'ledger':<16}{self.ledger}")
        for kind, tally in self.tallies.items():
            text += [f"  {kind}: record {one.record}: {one.reason}" for one in tally.examples]
        text.append(f"{'PROVEN' if self.ok else 'NOT PROVEN'} in {self.seconds:.1f} s")
        return "\n".join(text)
