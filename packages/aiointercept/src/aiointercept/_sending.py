"""Replies that run users' code while they are sent: streamed bodies and WebSocket handlers. Their errors are kept."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from aiointercept_core import Record, Stream, WebSocketConnection, checked_chunks, close_iterable
from aiointercept_dns import OutgoingRequest

from ._core import ReportedError
from ._cross_loop import CallbackCancelledError
from ._errors import CallbackErrors
from ._faults import set_disconnect

__all__ = ["keep_body_errors", "keep_handler_errors"]


async def keep_body_errors(
    errors: CallbackErrors, reply: Stream, record: Record[Any], client_request: OutgoingRequest | None
) -> AsyncIterator[bytes]:
    """Yield the chunks of `reply`; add an error in them to `errors`."""
    body = aiter(reply.body)
    # Here too, because an error that the server finds is only logged there.
    chunks = checked_chunks(reply._replace(body=body))
    try:
        with _keeping_error(errors, record, client_request):
            async for chunk in chunks:
                yield chunk
    finally:
        await close_iterable(chunks)
        await close_iterable(body)


async def keep_handler_errors(
    errors: CallbackErrors,
    handler: Callable[[Any], Awaitable[None]],
    record: Record[Any],
    connection: WebSocketConnection,
) -> None:
    """Have `handler` talk to a client; add an error in it to `errors`."""
    with _keeping_error(errors, record, None):
        await handler(connection)


@contextlib.contextmanager
def _keeping_error(
    errors: CallbackErrors, record: Record[Any], client_request: OutgoingRequest | None
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
        raise ReportedError(errors.keep(exc, record)) from exc
