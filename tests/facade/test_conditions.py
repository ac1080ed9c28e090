"""Conditions over real sockets: with passthrough, with errors, with any method."""

import asyncio
import re

import aiohttp
import pytest
from aiohttp import web
from support import fetch, real_server

from aiointercept import aiointercept

URL = "https://api.example.com/users"


def external(**options):
    return aiointercept(mock_external_urls=True, **options)


async def test_each_condition_over_a_socket():
    async with external() as m:
        routes = [
            m.post(URL, match_json={"id": 1}, body="json"),
            m.post(URL, match_form={"a": 1}, body="form"),
            m.post(URL, match_headers={"authorization": re.compile(r"Bearer \w+")}, body="headers"),
            m.post(URL, match_query={"page": 2}, body="query"),
            m.post(URL, match_body=b"raw", body="body"),
            m.post(URL, match=lambda request: request.headers["X-Shard"] == "7", body="function"),
        ]
        sent = [
            {"json": {"id": 1}},
            {"data": {"a": "1"}},
            {"headers": {"Authorization": "Bearer abc"}},
            {"params": {"page": "2", "a": "b"}},
            {"data": b"raw"},
            {"headers": {"X-Shard": "7"}},
        ]
        texts = [(await fetch(URL, "POST", **options)).text for options in sent]
        assert texts == ["json", "form", "headers", "query", "body", "function"]
        assert [len(route.requests) for route in routes] == [1] * 6


@pytest.mark.parametrize("raised", [KeyError("X"), AssertionError("no"), pytest.fail.Exception("failed")])
async def test_an_error_in_a_condition_is_raised_at_the_end_of_the_block(raised):
    def broken(request):
        raise raised

    async def block():
        async with external() as m:
            m.post(URL, match=broken)
            m.post(URL, body="next")
            assert (await fetch(URL, "POST")).text == "next"

    with pytest.raises(type(raised)) as caught:
        await block()
    assert caught.value is raised


async def test_any_method_answers_head_without_a_body():
    async with external() as m, aiohttp.ClientSession() as session:
        m.any(URL, body="text", repeat=True)
        for method in ("HEAD", "OPTIONS", "GET"):
            async with session.request(method, URL) as response:
                assert await response.text() == ("" if method == "HEAD" else "text")


async def test_an_unmatched_request_is_forwarded_while_its_body_arrives():
    """The head decides: the mock does not wait for a body that no condition asks for."""
    async with real_server() as server, external(passthrough_unmatched=True) as m:
        m.get("http://localhost/")
        url = f"http://localhost:{server.port}/x"
        m.post(url, match_headers={"X-A": "1"}, body="mocked")

        async def endless():
            yield b"a"
            while not server.hits:
                await asyncio.sleep(0.001)
            yield b"b"

        assert (await fetch(url, "POST", data=endless())).text == "real POST /x"
        assert (await fetch(url, "POST", headers={"X-A": "1"})).text == "mocked"


async def test_a_condition_on_the_body_has_the_body_read_first_and_forwarded_after():
    bodies = []

    async def echo(request):
        bodies.append(await request.read())
        return web.Response(text="real")

    async with real_server(echo) as server, external(passthrough_unmatched=True) as m:
        url = f"http://localhost:{server.port}/x"
        m.post(url, match_json={"id": 1}, body="mocked")
        assert [(await fetch(url, "POST", json={"id": number})).text for number in (2, 1)] == ["real", "mocked"]
        assert bodies == [b'{"id": 2}']


async def test_the_error_of_the_caller_says_what_differs():
    async with external() as m:
        m.post(URL, match_json={"name": "Ada"})
        with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
            await fetch(URL, "POST", json={"name": "Bob"})
        assert f"nearest: POST {URL} (json['name']: expected 'Ada', got 'Bob')" in str(caught.value)
