"""The chunks of a streamed body: compared with what its reply announces, and closed."""

import contextlib
from collections.abc import AsyncGenerator

from ._replies import Stream

__all__ = ["checked_chunks", "close_iterable"]


async def checked_chunks(reply: Stream) -> AsyncGenerator[bytes, None]:
    """Yield the chunks of the body of `reply`, no more than its Content-Length if it has one.

    Raises `TypeError` for a chunk that is not bytes, and `ValueError` if the body is shorter or longer than the
    Content-Length: when it has ended, or when the first `Content-Length` bytes were yielded. The body is not closed:
    closing may take a while, and the error must be known before.
    """
    announced = reply.headers.get("Content-Length")
    left = None if announced is None else int(announced)
    async for chunk in reply.body:
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise TypeError(f"body: the async iterable must yield bytes, got {chunk!r}")
        size = memoryview(chunk).nbytes
        if left is None or size <= left:
            yield chunk
        else:
            if left:
                yield bytes(memoryview(chunk).cast("B")[:left])
            raise ValueError(
                f"body: the async iterable yielded more bytes than its Content-Length of {announced}; correct the "
                "header, or leave it out"
            )
        if left is not None:
            left -= size
    if left:
        raise ValueError(f"body: the async iterable ended {left} bytes before its Content-Length")


async def close_iterable(iterable: object) -> None:
    """Close an async generator, so that its `finally` runs now and not when it is freed; other objects have no end.

    An error is lost: it does not change what was sent. A generator that another task is reading is not closed.
    """
    aclose = getattr(iterable, "aclose", None)
    if aclose is not None:
        with contextlib.suppress(Exception):
            await aclose()
