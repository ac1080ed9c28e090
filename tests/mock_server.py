"""A mock on the server package alone: core's registry behind a listener, and raw HTTP to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiointercept_core import Registry, Reply
from aiointercept_server import AiointerceptRequest, Answer, Listener, ignore_retries, read_body_first


class Mock:
    """A listener whose requests are answered from a registry, or by another function set as `answer`.

    `heads` are the requests whose head has arrived, `incomplete` those whose body never arrived in full. With `https`
    the port for https origins is open too.
    """

    def __init__(self, *, https: bool = False) -> None:
        self.registry: Registry[AiointerceptRequest] = Registry()
        self.answer: Answer = self.registry.answer
        self.heads: list[AiointerceptRequest] = []
        self.incomplete: list[AiointerceptRequest] = []
        self.listener = Listener(ignore_retries(self._answer))
        if https:
            self.listener.address("https")
        self.port = self.listener.port
        self.url = f"http://127.0.0.1:{self.port}"

    async def _answer(self, request: AiointerceptRequest) -> Reply:
        self.heads.append(request)
        try:
            return await read_body_first(self.answer)(request)
        finally:
            if not request.complete:
                self.incomplete.append(request)

    @property
    def last(self) -> AiointerceptRequest:
        return self.registry.last_request

    @property
    def received(self) -> list[AiointerceptRequest]:
        return [record.request for record in self.registry.journal.records]

    def close(self) -> None:
        self.listener.close().result(5)


@dataclass
class RawResponse:
    """A response as it was sent."""

    status_line: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def status(self) -> int:
        return int(self.status_line.split(" ")[1])

    def values(self, name: str) -> list[str]:
        return [value for field, value in self.headers if field.lower() == name.lower()]


class ClientConnection:
    """One connection on which raw requests are sent and responses read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def response(self, *, bodiless: bool = False) -> RawResponse:
        """Read one response, `bodiless` as those to HEAD are."""
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *lines = head[:-4].split("\r\n")
            headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
            response = RawResponse(status_line, headers, b"")
            if bodiless:
                return response
            if response.values("Transfer-Encoding"):
                while size := int(await self.reader.readline(), 16):
                    response.body += await self.reader.readexactly(size)
                    await self.reader.readline()
                await self.reader.readline()
            elif length := response.values("Content-Length"):
                response.body = await self.reader.readexactly(int(length[0]))
            return response

    async def exchange(self, data: bytes, **options: bool) -> RawResponse:
        await self.send(data)
        return await self.response(**options)

    async def rest(self) -> bytes:
        """Return what comes until the server closes."""
        async with asyncio.timeout(5):
            return await self.reader.read()


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[ClientConnection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    try:
        yield ClientConnection(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def eventually(condition: Callable[[], Any], timeout: float = 5.0) -> Any:
    """Return what `condition()` returns once that is true, asking in short intervals."""
    async with asyncio.timeout(timeout):
        while not (result := condition()):
            await asyncio.sleep(0.002)
        return result
