"""A reply that is sent again is the same message, whoever asks for it and how."""

import asyncio
import time
from email.utils import parsedate_to_datetime

import pytest
from mock_server import Mock, RawResponse, connect
from multidict import CIMultiDict, CIMultiDictProxy

from aiointercept_core import Response
from aiointercept_server import AiointerceptRequest

GET = b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")
CLOSE = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
OLD = b"GET / HTTP/1.0\r\nHost: api.example\r\nConnection: keep-alive\r\n\r\n"
URL = "http://api.example/"


class KnownReplies(Mock):
    """A mock that gives at once what was registered."""

    def answer(self, request: AiointerceptRequest) -> Response:
        response = self.registry.choose(request).response
        assert response is not None
        assert response.ready is not None
        return response.ready


class OneReply(Mock):
    """A mock that answers everything with one object."""

    reply = Response(200, None, CIMultiDictProxy(CIMultiDict({"X-Known": "yes"})), b"body")

    def answer(self, request: AiointerceptRequest) -> Response:
        return self.reply


@pytest.fixture
def mock():
    mock = KnownReplies()
    yield mock
    mock.close()


@pytest.fixture
def one_reply():
    mock = OneReply()
    yield mock
    mock.close()


def without_date(response: RawResponse) -> tuple[str, list[tuple[str, str]], bytes]:
    assert len(response.values("Date")) == 1
    return response.status_line, [field for field in response.headers if field[0] != "Date"], response.body


@pytest.mark.parametrize("size", [0, 1, 2**16, 2**16 + 1, 300_000])
async def test_each_time_the_same(mock: Mock, size: int):
    headers = CIMultiDict([("Set-Cookie", "a=1"), ("X-Greeting", "grüß"), ("Set-Cookie", "b=2")])
    mock.registry.get(URL, status=404, reason="Gone fishing", body=b"x" * size, headers=headers, repeat=True)
    async with connect(mock.port) as wire, connect(mock.port) as other:
        first = without_date(await wire.exchange(GET))
        assert first[0] == "HTTP/1.1 404 Gone fishing"
        assert len(first[2]) == size
        for connection in (wire, wire, other, wire, other):
            assert without_date(await connection.exchange(GET)) == first


async def test_a_request_of_another_kind_gets_its_own(one_reply: OneReply):
    async with connect(one_reply.port) as wire:
        for _ in range(3):
            usual = await wire.exchange(GET)
        for _ in range(2):
            head = await wire.exchange(HEAD, bodiless=True)
            assert head.values("Content-Length") == ["4"]
            assert without_date(await wire.exchange(GET)) == without_date(usual)
        old = await wire.exchange(OLD)
        assert old.status_line == "HTTP/1.0 200 OK"
        assert old.values("Connection") == ["keep-alive"]
        assert without_date(await wire.exchange(GET)) == without_date(usual)
        last = await wire.exchange(CLOSE)
        assert last.values("Connection") == ["close"]
        assert await wire.rest() == b""


async def test_first_asked_for_by_requests_of_another_kind(one_reply: OneReply):
    async with connect(one_reply.port) as wire:
        for _ in range(3):
            await wire.exchange(HEAD, bodiless=True)
            assert (await wire.exchange(OLD)).status_line == "HTTP/1.0 200 OK"
        for _ in range(3):
            response = await wire.exchange(GET)
            assert (response.status_line, response.body) == ("HTTP/1.1 200 OK", b"body")
            assert response.values("Connection") == []


async def test_the_date_is_that_of_the_reply(mock: Mock):
    mock.registry.get(URL, body="body", repeat=True)
    dates = set()
    async with connect(mock.port) as wire, asyncio.timeout(5):
        while len(dates) < 2:
            earliest = int(time.time())
            (date,) = (await wire.exchange(GET)).values("Date")
            assert earliest <= parsedate_to_datetime(date).timestamp() <= time.time()
            dates.add(date)


async def test_more_replies_than_are_kept(mock: Mock):
    for number in range(100):
        mock.registry.get(f"{URL}{number}", body=f"body {number}", repeat=True)
    async with connect(mock.port) as wire:
        for number in [*range(100), *range(100), *range(60, 100), *range(50), *range(50)]:
            response = await wire.exchange(GET.replace(b"/ ", f"/{number} ".encode()))
            assert response.body == f"body {number}".encode()


async def test_a_reply_that_is_registered_anew(mock: Mock):
    async with connect(mock.port) as wire:
        for number in range(200):
            mock.registry.clear()
            mock.registry.get(URL, body=f"body {number}", repeat=True)
            for _ in range(3):
                assert (await wire.exchange(GET)).body == f"body {number}".encode()


async def test_many_at_once(mock: Mock):
    mock.registry.get(URL, body="body", repeat=True)

    async def ask() -> None:
        async with connect(mock.port) as wire:
            await wire.send(GET * 10)
            for _ in range(10):
                assert (await wire.response()).body == b"body"

    await asyncio.gather(*(ask() for _ in range(10)))


async def test_replies_that_look_alike():
    """One mock after the other has the same ones; what differs in anything is sent as it was registered."""
    alike = [
        {"headers": {"X-Known": "yes"}},
        {"headers": {"x-known": "yes"}},
        {"headers": {"X-Known": "Yes"}},
        {"headers": CIMultiDict([("X-Known", "yes"), ("X-Known", "yes")])},
        {"headers": {"X-Known": "yes"}, "status": 201},
        {"headers": {"X-Known": "yes"}, "reason": "Fine"},
        {"headers": {"X-Known": "yes"}, "content_type": "text/plain"},
        {"headers": {"X-Known": "yes"}, "body": "other"},
    ]
    seen = []
    for _ in range(3):
        mock = KnownReplies()
        for number, options in enumerate(alike):
            mock.registry.get(f"{URL}{number}", **{"body": "body", **options})
        asked = [GET.replace(b"/ ", b"/%d " % number) for number in range(len(alike))]
        async with connect(mock.port) as wire:
            seen.append([without_date(await wire.exchange(request)) for request in asked])
        mock.close()
    assert seen[0] == seen[1] == seen[2]
    for number, first in enumerate(seen[0]):
        assert seen[0].index(first) == number
    assert [fields[0] for _, fields, _ in seen[0][:3]] == [("X-Known", "yes"), ("x-known", "yes"), ("X-Known", "Yes")]
