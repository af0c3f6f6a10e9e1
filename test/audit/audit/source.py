"""Rows of the source table, by raw SQL."""

import os
from dataclasses import dataclass, field
from typing import Iterator

from .content import content_shape
from .copied import copied_value


@dataclass(frozen=True)
class Row:
    id: int
    tenant: object
    content: str | None
    copied: dict[str, object] = field(default_factory=dict)


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
    content_columns: tuple[str, ...]
    content_template: str | None = None
    copied_columns: tuple[str, ...] = ()


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _text(content: object) -> str | None:
    if isinstance(content, bytes):
        return content.decode("utf-8", "surrogateescape")  # a row that is no text is excused, or wrong whatever was written
    return content if content is None or isinstance(content, str) else str(content)


def rows(source: Source) -> Iterator[Row]:
    """All rows by ascending id, streamed."""
    import pymysql  # here, so that the self-tests need no package
    from pymysql.cursors import SSCursor

    shape = content_shape(source.content_columns, source.content_template)
    tenant = "NULL" if source.tenant_column is None else _quoted(source.tenant_column)
    columns = ", ".join(map(_quoted, (*source.content_columns, *source.copied_columns)))
    statement = (
        f"SELECT {_quoted(source.id_column)}, {tenant}, {columns}"
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
        conv={},  # every value as the text that the server sends
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION net_write_timeout = 3600")
            cursor.execute("SET SESSION time_zone = '+00:00'")
            cursor.execute(statement)
            types = [(column[1], column[3]) for column in cursor.description][-len(source.copied_columns) :]
            for identifier, member, *values in cursor:
                contents = values[: len(source.content_columns)]
                copied = {
                    name: copied_value(code, value, length)
                    for name, (code, length), value in zip(source.copied_columns, types, values[len(contents) :])
                }
                yield Row(int(identifier), member, shape([_text(content) for content in contents]), copied)
    finally:
        connection.close()
