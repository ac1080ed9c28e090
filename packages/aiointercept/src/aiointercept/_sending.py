"""Replies that run users' code while they are sent: streamed bodies and WebSocket handlers. Their errors are kept."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from aiointercept_core import Record, Stream, WebSocketConnection
from aiointercept_dns import OutgoingRequest
from aiointercept_server import checked_chunks

from ._core import ReportedError
from ._cross_loop import CallbackCancelledError
from ._errors import keep_error
from ._faults import set_disconnect

__all__ = ["close_body", "keep_body_errors", "keep_handler_errors"]


async def keep_body_errors(
    errors: list[BaseException], reply: Stream, record: Record[Any], client_request: OutgoingRequest | None
) -> AsyncIterator[bytes]:
    """Yield the chunks of `reply`; add an error in them to `errors`."""
    body = aiter(reply.body)
    chunks = checked_chunks(reply._replace(body=body))
    try:
        with _keeping_error(errors, record, client_request):
            async for chunk in chunks:
                yield chunk
    finally:
        await close_body(chunks)
        await close_body(body)


async def keep_handler_errors(
    errors: list[BaseException],
    handler: Callable[[Any], Awaitable[None]],
    record: Record[Any],
    connection: WebSocketConnection,
) -> None:
    """Have `handler` talk to a client; add an error in it to `errors`."""
    with _keeping_error(errors, record, None):
        await handler(connection)


async def close_body(body: object) -> None:
    """Close an async generator now and not when it is collected; without effect for other objects."""
    aclose = getattr(body, "aclose", None)
    if aclose is not None:
        # A generator that another task is reading cannot be closed.
        with contextlib.suppress(RuntimeError):
            await aclose()


@contextlib.contextmanager
def _keeping_error(
    errors: list[BaseException], record: Record[Any], client_request: OutgoingRequest | None
) -> Iterator[None]:
    """Keep an error that is raised while a reply is sent; the server gets a `ReportedError`."""
    try:
        yield
    except CallbackCancelledError:
        # The block or the loop of the function ended: the connection is closed, and that is no error.
        set_disconnect(client_request)
        raise asyncio.CancelledError from None
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as exc:
        raise ReportedError(keep_error(errors, exc, record)) from exc
