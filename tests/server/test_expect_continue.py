"""A client that expects `100 Continue` before it sends a body gets it, once, when the body is first read."""

import pytest
from mock_server import Mock, connect, eventually
from support import fetch

HEAD = b"POST / HTTP/1.%d\r\nHost: api.example\r\nExpect: 100-Continue\r\nContent-Length: %d\r\n\r\n"


async def test_continue_comes_before_the_body(mock: Mock):
    mock.registry.post("http://api.example/", repeat=True)
    async with connect(mock.port) as connection:
        for _ in range(2):
            await connection.send(HEAD % (1, 4))
            interim = await connection.response(bodiless=True)
            assert (interim.status_line, interim.headers) == ("HTTP/1.1 100 Continue", [])
            assert (await connection.exchange(b"body")).status == 200
            assert mock.last.captured_body == b"body"


async def test_aiohttp_with_expect100(mock: Mock):
    mock.registry.post(f"{mock.url}/", status=201)
    response = await fetch(f"{mock.url}/", "POST", data=b"x" * 100_000, expect100=True)
    assert response.status == 201
    assert mock.last.captured_body == b"x" * 100_000


async def test_no_continue_for_a_client_of_http_1_0(mock: Mock):
    mock.registry.post("http://api.example/")
    async with connect(mock.port) as connection:
        assert (await connection.exchange(HEAD % (0, 4) + b"body")).status_line == "HTTP/1.0 200 OK"
    assert mock.last.captured_body == b"body"


@pytest.mark.parametrize("expect", ["nonsense", "200-ok"])
async def test_another_expectation_is_ignored(mock: Mock, expect: str):
    mock.registry.post("http://api.example/")
    async with connect(mock.port) as connection:
        head = (HEAD % (1, 4)).replace(b"100-Continue", expect.encode())
        assert (await connection.exchange(head + b"body")).status == 200
    assert mock.last.headers["Expect"] == expect


async def test_no_continue_without_a_body(mock: Mock):
    mock.registry.post("http://api.example/")
    async with connect(mock.port) as connection:
        assert (await connection.exchange(HEAD % (1, 0))).status == 200


async def test_an_error_after_continue_is_a_500(mock: Mock):
    def fail(url, **_):
        raise RuntimeError("the reason")

    mock.registry.post("http://api.example/", callback=fail)
    async with connect(mock.port) as connection:
        await connection.send(HEAD % (1, 4))
        await connection.response(bodiless=True)
        response = await connection.exchange(b"body")
    assert response.status == 500
    assert b"RuntimeError: the reason" in response.body


async def test_a_client_that_leaves_after_continue_consumes_no_reply(mock: Mock):
    mock.registry.post("http://api.example/")
    async with connect(mock.port) as connection:
        await connection.send(HEAD % (1, 4))
        await connection.response(bodiless=True)
    await eventually(lambda: mock.incomplete)
    assert mock.registry.call_count == 0
