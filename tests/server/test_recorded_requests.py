"""A recorded request can be read after its reply, after its listener is closed, on any loop, any number of times."""

import asyncio
import io
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from mock_server import Mock
from multidict import MultiDict
from support import fetch

from aiointercept_server import AiointerceptRequest

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


async def record(**options) -> AiointerceptRequest:
    """Return a request that was made with `options`, after its listener closed."""
    mock = Mock()
    try:
        mock.registry.post(re.compile("http://"))
        assert (await fetch(f"{mock.url}/", "POST", **options)).status == 200
        return mock.last
    finally:
        await asyncio.wrap_future(mock.listener.close())


async def twice_here_and_on_another_loop(read: Callable[[], Awaitable[object]], expected: object) -> None:
    assert await read() == expected
    assert await read() == expected
    assert await asyncio.to_thread(lambda: asyncio.run(read())) == expected
    assert await read() == expected


async def test_it_is_an_aiohttp_request():
    request = await record(data=b"body", headers={"Cookie": "a=1", "Range": "bytes=0-9"})
    assert isinstance(request, web.Request)
    assert (request.method, request.path, request.version) == ("POST", "/", (1, 1))
    assert request.cookies == {"a": "1"}
    assert request.http_range == slice(0, 10, 1)
    assert request.content_type == "application/octet-stream"
    assert (request.content_length, request.body_exists, request.can_read_body) == (4, True, False)
    assert request.remote == "127.0.0.1"
    assert request.query == {}
    assert "POST" in repr(request)


async def test_completion_offers_what_a_test_can_use():
    request = await record(data=b"body")
    offered = {name for name in dir(request) if not name.startswith("_")}
    assert {"method", "url", "headers", "query", "cookies", "text", "json", "captured_body", "messages"} < offered
    assert not offered & {"app", "loop", "match_info", "protocol", "setdefault", "task", "transport", "writer"}
    # All of them are there, and what is documented is offered.
    assert [name for name in offered if not hasattr(AiointerceptRequest, name)] == []
    pages = [(REFERENCE / page).read_text("utf-8") for page in ("aiointercept.md", "server.md")]
    members = re.search(r"autoclass:: aiointercept\.AiointerceptRequest\n +:members: (.*)\n", pages[0])[1].split(", ")
    assert {*members, *re.findall(r"AiointerceptRequest\.(\w+)\n", pages[1])} <= offered


async def test_read():
    request = await record(data=b"\x00\xff")
    await twice_here_and_on_another_loop(request.read, b"\x00\xff")
    assert request.captured_body == b"\x00\xff"


async def test_read_without_a_body():
    request = await record()
    await twice_here_and_on_another_loop(request.read, b"")
    await twice_here_and_on_another_loop(request.text, "")
    assert request.captured_body is None
    assert request.kwargs["data"] is None


async def test_text_with_a_charset():
    request = await record(data="grün".encode("latin-1"), headers={"Content-Type": "text/plain; charset=latin-1"})
    await twice_here_and_on_another_loop(request.text, "grün")


async def test_json():
    request = await record(json={"a": [1, None]})
    await twice_here_and_on_another_loop(request.json, {"a": [1, None]})
    assert request.kwargs["json"] == {"a": [1, None]}


async def test_a_form():
    fields = MultiDict([("a", "1"), ("b", ""), ("a", "ü")])
    request = await record(data=fields)

    async def post() -> list[tuple[str, object]]:
        return list((await request.post()).items())

    await twice_here_and_on_another_loop(post, list(fields.items()))


async def test_a_form_of_many_fields():
    fields = [(f"field-{number}", "x") for number in range(3000)]
    request = await record(data=MultiDict(fields))
    assert list((await request.post()).items()) == fields


@pytest.mark.parametrize("size", [10, 100_000, 3_000_000], ids=["small", "one hundred kB", "three MB"])
async def test_a_multipart_form_with_a_file(size: int):
    content = bytes(range(250)) * (size // 250) + b"end"
    form = aiohttp.FormData()
    form.add_field("title", "ü")
    form.add_field("upload", io.BytesIO(content), filename="a.bin", content_type="image/png")
    request = await record(data=form)

    async def post() -> tuple[object, ...]:
        fields = await request.post()
        upload = fields["upload"]
        with upload.file:
            return fields["title"], upload.filename, upload.content_type, upload.file.read() == content

    await twice_here_and_on_another_loop(post, ("ü", "a.bin", "image/png", True))


async def test_the_parts_of_a_multipart_body():
    with aiohttp.MultipartWriter("mixed") as writer:
        writer.append("text")
        writer.append_json({"a": 1})
        writer.append(b"x" * 100_000, {"Content-Type": "application/octet-stream"})
    request = await record(data=writer)

    async def parts() -> list[object]:
        reader = await request.multipart()
        text = await (await reader.next()).text()
        value = await (await reader.next()).json()
        octets = await (await reader.next()).read()
        return [text, value, bytes(octets), await reader.next()]

    await twice_here_and_on_another_loop(parts, ["text", {"a": 1}, b"x" * 100_000, None])


async def test_the_body_as_a_stream():
    body = b"".join(b"line %d\n" % number for number in range(10_000))
    request = await record(data=body)

    async def read() -> bytes:
        return await request.content.read()

    async def lines() -> int:
        return len([line async for line in request.content])

    async def chunks() -> bytes:
        return b"".join([chunk async for chunk in request.content.iter_chunked(1000)])

    await twice_here_and_on_another_loop(read, body)
    await twice_here_and_on_another_loop(lines, 10_000)
    await twice_here_and_on_another_loop(chunks, body)


async def test_in_a_callback_as_well(mock: Mock):
    async def answer(request):
        seen.append((await request.post(), await request.text(), await request.content.read()))
        return await mock.registry.answer(request)

    seen: list[object] = []
    mock.answer = answer
    mock.registry.post(f"{mock.url}/")
    assert (await fetch(f"{mock.url}/", "POST", data={"a": "1"})).status == 200
    assert seen == [({"a": "1"}, "a=1", b"a=1")]


async def test_reading_the_content_does_not_affect_the_connection(mock: Mock):
    """A reader over the live connection would pause and resume it, from another thread."""
    mock.registry.post(f"{mock.url}/", repeat=True)
    async with aiohttp.ClientSession() as session:
        for size in (10, 5_000_000, 10, 5_000_000):
            async with session.post(f"{mock.url}/", data=io.BytesIO(b"x" * size)) as response:
                assert response.status == 200
            assert len(await mock.last.content.read()) == size


async def test_the_arguments_of_a_callback():
    request = await record(params=[("a", "1"), ("a", "2"), ("b", "")], json=[1])
    assert request.kwargs == {
        "headers": request.headers,
        "query": {"a": ["1", "2"], "b": [""]},
        "json": [1],
        "data": json.dumps([1]).encode(),
    }


@pytest.mark.parametrize("length", [2**19, 2**19 + 1])
async def test_a_body_in_many_pieces(length: int):
    body = (b"0123456789abcdef" * (length // 16 + 1))[:length]
    request = await record(data=body)
    await twice_here_and_on_another_loop(request.read, body)
    assert request.encoded_body == request.captured_body == body
