"""Rows of the source table, by raw SQL."""

import os
from dataclasses import dataclass
from typing import Iterator


@dataclass(frozen=True)
class Row:
    id: int
    tenant: object
    content: str | None


@dataclass(frozen=True)
class Source:
    host: str
    port: int
    user: str
    password_env: str
    database: str
    table: str
    id_column: str
    tenant_column: str | None
    content_column: str


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def rows(source: Source) -> Iterator[Row]:
    """All rows by ascending id, streamed."""
    import pymysql  # here, so that the self-tests need no package
    from pymysql.cursors import SSCursor

    tenant = "NULL" if source.tenant_column is None else _quoted(source.tenant_column)
    statement = (
        f"SELECT {_quoted(source.id_column)}, {tenant}, {_quoted(source.content_column)}"
        f" FROM {_quoted(source.table)} ORDER BY {_quoted(source.id_column)}"
    )
    connection = pymysql.connect(
        host=source.host,
        port=source.port,
        user=source.user,
        password=os.environ.get(source.password_env, ""),
        database=source.database,
        charset="utf8mb4",
        cursorclass=SSCursor,
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION net_write_timeout = 3600")
            cursor.execute(statement)
            for identifier, member, content in cursor:
                text = content.decode("utf-8") if isinstance(content, bytes) else content
                yield Row(int(identifier), member, text)
    finally:
        connection.close()
