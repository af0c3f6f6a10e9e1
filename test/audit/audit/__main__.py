"""Command line: exit 0 when all is proven, 1 when something is missing, extra or wrong, 2 when it could not be read."""

import argparse
import hashlib
import json
import os
import sys
import time
from collections import defaultdict
from dataclasses import replace

from . import target
from .checks import Expectation, Point, check_all, owner_fault, vector_faults
from .embedding import Embedder
from .ledger import Census, LedgerExpectation, check_ledger
from .report import Finding, Report
from .source import Source, rows
from .sparse import bm25
from .tokens import TokenCounter

BM25 = {"tokenizer": "multilingual", "language": "english", "k": 1.2, "b": 0.75, "avg_len": 128}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="audit", description="Proves that a collection holds exactly what a table asks for.")
    parser.add_argument("--mysql-host", default="127.0.0.1")
    parser.add_argument("--mysql-port", type=int, default=3306)
    parser.add_argument("--mysql-user", required=True)
    parser.add_argument("--mysql-password-env", default="MYSQL_PASSWORD", help="name of the variable that holds it")
    parser.add_argument("--mysql-database", required=True)
    parser.add_argument("--table", default="ip_summary")
    parser.add_argument("--id-column", default="id")
    parser.add_argument("--tenant-column", default="member_code", help="empty: the table has none")
    parser.add_argument("--content-column", default="parse_content", help="one, or several, comma-separated")
    parser.add_argument("--content-template", default="", help="how they become one text; empty: joined by a blank line")
    parser.add_argument("--qdrant-url", required=True)
    parser.add_argument("--qdrant-api-key-env", default="QDRANT_API_KEY", help="name of the variable that holds it")
    parser.add_argument("--collection", default="memos")
    parser.add_argument("--source", required=True, help="payload field source of the points to judge")
    parser.add_argument("--parent-tokens", type=int, default=1024)
    parser.add_argument("--child-tokens", type=int, default=256)
    parser.add_argument("--overlap-tokens", type=int, default=32)
    parser.add_argument("--embeddings-model", default="text-embedding-3-small")
    parser.add_argument("--embeddings-dims", type=int, default=1536)
    parser.add_argument("--bm25", type=json.loads, default=BM25, help="options as Qdrant names them, JSON")
    parser.add_argument("--copied-columns", default="", help="columns that stand in every payload, comma-separated")
    parser.add_argument("--collection-ids", type=json.loads, default={}, help="known ones: JSON of record id to value")
    parser.add_argument("--failed-ids", default="", help="rows that may be absent or outdated, comma-separated")
    parser.add_argument("--no-foreign", action="store_true", help="points of other sources are extra, not just counted")
    parser.add_argument("--allow-foreign", action="store_true", help="the default")
    parser.add_argument("--foreign-digest", help="what an earlier report said of the points of other sources")
    parser.add_argument("--ledger-url")
    parser.add_argument("--ledger-key-env", default="SUPABASE_KEY", help="name of the variable that holds it")
    parser.add_argument("--job-id", help="the job to check in the ledger")
    parser.add_argument("--undisturbed", action="store_true", help="no attempt of the job was cut short")
    parser.add_argument("--node", default="node", help="the Node.js that counts tokens")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.ledger_url and not asked.job_id:
        parser.error("--ledger-url needs --job-id")
    return asked


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in listed.split(",") if name.strip())


def read_points(asked: argparse.Namespace, expected: Expectation, report: Report) -> dict[int, list[Point]]:
    """All points of our source by record id. Points without a usable id are reported at once."""
    embedder = Embedder(asked.embeddings_dims)
    judge = bm25(asked.bm25)
    foreign: list[bytes] = []
    counter = TokenCounter(asked.node)
    by_record: dict[int, list[Point]] = defaultdict(list)
    to_count: list[tuple[int, int]] = []
    for raw in target.points(asked.qdrant_url, os.environ.get(asked.qdrant_api_key_env), asked.collection):
        payload = raw.get("payload") or {}
        if payload.get("source") != expected.source:
            report.foreign_points += 1
            foreign.append(hashlib.sha256(json.dumps(raw, sort_keys=True).encode("utf-8")).digest())
            fault = owner_fault(expected, str(raw["id"]), payload)
            if fault is not None:
                report.add(Finding("wrong", str(payload.get("summary_id")), fault))
            if asked.no_foreign:
                report.add(Finding("extra", str(payload.get("summary_id")), f"foreign point {raw['id']}"))
            continue
        report.points += 1
        report.parents += payload.get("type") == "parent"
        report.children += payload.get("type") == "child"
        record = payload.get("summary_id")
        if not isinstance(record, int) or isinstance(record, bool):
            report.add(Finding("wrong", "?", f"point {raw['id']} has no integer summary_id"))
            continue
        point = Point(str(raw["id"]), payload, vector_faults(embedder, payload, raw.get("vector"), judge))
        limit = expected.child_tokens if point.type == "child" else expected.parent_tokens
        if len(point.text.encode("utf-8", "replace")) > limit:
            to_count.append((record, len(by_record[record])))
            counter.add(point.text)
        by_record[record].append(point)
    for (record, at), tokens in zip(to_count, counter.counts(), strict=True):
        by_record[record][at] = replace(by_record[record][at], tokens=tokens)
    counter.close()
    report.foreign_digest = hashlib.sha256(b"".join(sorted(foreign))).hexdigest()
    if asked.foreign_digest is not None and asked.foreign_digest != report.foreign_digest:
        report.add(Finding("wrong", "foreign", "the points of other sources are not what they were"))
    return by_record


def read_ledger(asked: argparse.Namespace, census: Census, report: Report) -> None:
    """The job, its batches and failures, judged."""
    key = os.environ.get(asked.ledger_key_env, "")

    def read(table: str, column: str, order: str) -> list[dict]:
        query = {column: f"eq.{asked.job_id}", "select": "*", "order": order}
        return list(target.ledger_rows(asked.ledger_url, key, table, query))

    collection = target.concrete(asked.qdrant_url, os.environ.get(asked.qdrant_api_key_env), asked.collection)
    expected = LedgerExpectation(asked.source, collection, asked.undisturbed)
    jobs = read("ingestion_job", "id", "id")
    batches = read("ingestion_batch", "job_id", "batch_number")
    failures = read("ingestion_failure", "job_id", "record_id")
    check_ledger(expected, jobs[0] if jobs else None, batches, failures, census, report)
    known = {job["id"] for job in target.ledger_rows(asked.ledger_url, key, "ingestion_job", {"select": "id", "order": "id"})}
    for record, job_ids in census.jobs.items():
        for stranger in job_ids.keys() - known:
            report.add(Finding("wrong", str(record), f"job_id {stranger[:36]} is no job of the ledger"))


def audit(asked: argparse.Namespace) -> Report:
    started = time.monotonic()
    report = Report()
    copied = _names(asked.copied_columns)
    expected = Expectation(
        asked.source,
        asked.parent_tokens,
        asked.child_tokens,
        has_tenant=asked.tenant_column != "",
        overlap_tokens=asked.overlap_tokens,
        model=asked.embeddings_model,
        dimensions=asked.embeddings_dims,
        copied_columns=copied,
        collection_ids={int(record): value for record, value in asked.collection_ids.items()},
    )
    source = Source(
        asked.mysql_host,
        asked.mysql_port,
        asked.mysql_user,
        asked.mysql_password_env,
        asked.mysql_database,
        asked.table,
        asked.id_column,
        asked.tenant_column or None,
        _names(asked.content_column),
        asked.content_template or None,
        copied,
    )
    excused = frozenset(map(int, _names(asked.failed_ids)))
    points = read_points(asked, expected, report)
    census = check_all(expected, rows(source), points, excused, report)
    if asked.ledger_url:
        read_ledger(asked, census, report)
    report.seconds = time.monotonic() - started
    return report


def main() -> int:
    asked = arguments()
    try:
        report = audit(asked)
    except Exception as error:  # whatever it is, the outcome is not proven, and the reader needs the reason
        print(f"audit: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report.as_json()) if asked.json else report.as_text())
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
