"""The ASGI application: reads a request, checks the key, runs its handler and wraps the result as Qdrant does.

Handlers run on the event loop. Every call into the engine holds Python's lock anyway, so threads would gain nothing,
and one request at a time is the order in which the engine sees the writes.
"""

import asyncio
import hmac
import os
import sys
import traceback
from time import perf_counter
from urllib.parse import parse_qs, unquote

import orjson
from qdrant_edge import SparseVector

from .counters import Counters
from .errors import ApiError, from_engine, malformed
from .faults import Faults
from .registry import Registry
from .routes import PARAMETERS, READING_POSTS, Plain, find

_MAX_BODY_BYTES = 32 * 1024 * 1024
_FLUSH_SECONDS = 1
_PARAMETERS = {"wait", "ordering", "timeout", "consistency"}
_OPEN_PATHS = {"/", "/healthz", "/livez", "/readyz"}
_JSON = (b"content-type", b"application/json")


class Request:
    def __init__(self, scope, raw, endpoint):
        self.raw = raw
        self.body = _parse(raw)
        self.parameters = parse_qs(scope["query_string"].decode())
        unknown = self.parameters.keys() - PARAMETERS.get(endpoint, _PARAMETERS)
        if unknown:
            raise ApiError(400, f"Invalid query parameters: unknown parameter `{sorted(unknown)[0]}`")
        self.wait = self.parameters.get("wait", ["false"])[-1] == "true"


def _parse(raw):
    if not raw:
        return {}
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise malformed(str(error)) from error


class Front:
    """One data folder, served."""

    def __init__(self, data, api_key=None, read_only_api_key=None):
        self.data = data
        self.registry = Registry(data)
        self.counters = Counters(os.path.join(data, "counters.json"))
        self.faults = Faults()
        self._api_key = api_key
        self._read_only_api_key = read_only_api_key
        self._flusher = None

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        started = perf_counter()
        headers = [_JSON]
        try:
            result = await self._answer(scope, receive)
            status = 200
            content = result.content if isinstance(result, Plain) else {"result": result, "status": "ok"}
        except Exception as error:
            failure = from_engine(error)
            if failure.status == 500 and failure is not error:
                traceback.print_exception(error, file=sys.stderr)
            status = failure.status
            headers += failure.headers
            content = {"status": {"error": failure.message}}
        if type(content) is str:
            headers[0] = (b"content-type", b"text/plain; charset=utf-8")
            body = content.encode()
        else:
            if "status" in content:
                content["time"] = perf_counter() - started
            body = orjson.dumps(content, default=_encode)
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope, receive):
        raw = await _read_body(receive)
        method = scope["method"]
        path = scope["raw_path"].decode("ascii")
        may_write = self._authorize(scope, path)
        endpoint, handler, names = find(method, path.rstrip("/") or "/")
        if not may_write and method != "GET" and endpoint not in READING_POSTS:
            raise ApiError(403, "Forbidden: the key has no write access")
        control = path.startswith("/front/")
        fault = None
        if not control:
            self.counters.add_request(endpoint)
            fault = self.faults.take(method, unquote(path))
        if fault is not None:
            await asyncio.sleep(fault.delay_seconds)
            if fault.status is not None and not fault.after:
                raise fault.error()
        result = handler(self, Request(scope, raw, endpoint), *(unquote(name) for name in names))
        if fault is not None and fault.status is not None:
            raise fault.error()
        return result

    def _authorize(self, scope, path):
        """Whether the request may write; 401 where it may not even read."""
        if self._api_key is None or path in _OPEN_PATHS:
            return True
        headers = dict(scope["headers"])
        given = headers.get(b"api-key")
        if given is None:
            scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
            given = token if scheme.lower() == b"bearer" else None
        if given is None:
            raise ApiError(401, "Must provide an API key or an Authorization bearer token")
        if hmac.compare_digest(given, self._api_key.encode()):
            return True
        if self._read_only_api_key is None or not hmac.compare_digest(given, self._read_only_api_key.encode()):
            raise ApiError(401, "Invalid API key or JWT")
        return False

    async def _lifespan(self, receive, send):
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._flusher = asyncio.create_task(self._flush_regularly())
                await send({"type": "lifespan.startup.complete"})
            else:
                self._flusher.cancel()
                self.counters.save()
                self.registry.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _flush_regularly(self):
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            try:
                self.registry.flush()
                self.counters.save()
            except Exception as error:  # a full disk: later writes report it to their callers, the next flush retries
                traceback.print_exception(error, file=sys.stderr)


async def _read_body(receive):
    chunks = []
    size = 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        # An oversized body is read to its end and forgotten: an answer in the middle would break the connection.
        if size <= _MAX_BODY_BYTES:
            chunks.append(chunk)
        if not message.get("more_body", False):
            break
    if size > _MAX_BODY_BYTES:
        raise ApiError(
            400, f"Payload error: JSON payload ({size} bytes) is larger than allowed (limit: {_MAX_BODY_BYTES} bytes)."
        )
    return b"".join(chunks)


def _encode(value):
    if isinstance(value, SparseVector):
        return {"indices": value.indices, "values": value.values}
    raise TypeError(f"cannot encode {type(value)}")
