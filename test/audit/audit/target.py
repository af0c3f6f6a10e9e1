"""Points of the collection and rows of the ledger, by raw HTTP. Integers stay exact: Python's json has no doubles for them."""

import json
import urllib.parse
import urllib.request
from typing import Iterator

_TIMEOUT_S = 300


def call(url: str, headers: dict[str, str], body: object = None) -> object:
    data = None if body is None else json.dumps(body).encode("utf-8")
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        return json.load(response)


def points(url: str, api_key: str | None, collection: str, page_size: int = 200) -> Iterator[dict]:
    """Every point with payload and vectors. No filter: an index that misses points must not hide them from the audit."""
    headers = {} if not api_key else {"api-key": api_key}
    path = f"{url.rstrip('/')}/collections/{urllib.parse.quote(collection, safe='')}/points/scroll"
    offset: object = None
    while True:
        body: dict = {"limit": page_size, "with_payload": True, "with_vector": True}
        if offset is not None:
            body["offset"] = offset
        page = call(path, headers, body)["result"]  # type: ignore[index]
        yield from page["points"]
        offset = page.get("next_page_offset")
        if offset is None:
            return


def concrete(url: str, api_key: str | None, collection: str) -> str:
    """The collection behind an alias; what is no alias is a collection itself."""
    headers = {} if not api_key else {"api-key": api_key}
    aliases = call(f"{url.rstrip('/')}/aliases", headers)["result"]["aliases"]  # type: ignore[index]
    return next((one["collection_name"] for one in aliases if one["alias_name"] == collection), collection)


def ledger_rows(url: str, key: str, table: str, query: dict[str, str], page_size: int = 500) -> Iterator[dict]:
    """Rows of a ledger table through PostgREST, page by page in the order of `query`."""
    headers = {"apikey": key, "Authorization": f"Bearer {key}"}
    offset = 0
    while True:
        asked = urllib.parse.urlencode({**query, "limit": str(page_size), "offset": str(offset)})
        page = call(f"{url.rstrip('/')}/rest/v1/{table}?{asked}", headers)
        yield from page  # type: ignore[misc]
        if len(page) < page_size:  # type: ignore[arg-type]
            return
        offset += page_size
