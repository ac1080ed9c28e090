"""Clients other than aiohttp's, against `server_url`: any may ask, and none sees more failures than were meant."""

import asyncio
import http.client
import re
import urllib.error
import urllib.request

import httpx
import pytest
import requests
from yarl import URL

from aiointercept import CallbackResult, aiointercept


def with_requests(url, method="GET", data=None):
    with requests.Session() as session:
        session.trust_env = False
        response = session.request(method, url, data=data, timeout=5)
        return response.status_code, response.content


def with_httpx(url, method="GET", data=None):
    with httpx.Client(trust_env=False, verify=False) as client:
        response = client.request(method, url, content=data, timeout=5)
        return response.status_code, response.content


def with_async_httpx(url, method="GET", data=None):
    async def ask():
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            response = await client.request(method, url, content=data, timeout=5)
            return response.status_code, response.content

    return asyncio.run(ask())


def with_urllib(url, method="GET", data=None):
    request = urllib.request.Request(url, data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def with_http_client(url, method="GET", data=None):
    parts = URL(url)
    connection = http.client.HTTPConnection(parts.host, parts.port, timeout=5)
    try:
        connection.request(method, parts.raw_path_qs, data)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


CLIENTS = [with_requests, with_httpx, with_async_httpx, with_urllib, with_http_client]
BLOCKING = [client for client in CLIENTS if client is not with_async_httpx]
# What each raises when it is disconnected.
DISCONNECTED = (
    requests.ConnectionError,
    httpx.TransportError,
    urllib.error.URLError,
    http.client.HTTPException,
    OSError,
)


def named(client):
    return client.__name__


@pytest.mark.parametrize("ask", CLIENTS, ids=named)
def test_any_client_gets_the_replies_in_a_sync_block(ask):
    with aiointercept() as m:
        m.get(f"{m.server_url}/users?page=1", payload=[{"id": 1}])
        m.post(f"{m.server_url}/users", status=201, body="made", content_type="text/plain")
        m.get(f"{m.server_url}/missing", status=404, body=b"nothing here")

        assert ask(f"{m.server_url}/users?page=1") == (200, b'[{"id": 1}]')
        assert ask(f"{m.server_url}/users", "POST", b'{"name": "ann"}') == (201, b"made")
        assert ask(f"{m.server_url}/missing") == (404, b"nothing here")

        m.assert_any_call(f"{m.server_url}/users", params={"page": 1})
        m.assert_called_with(f"{m.server_url}/users", "POST", json={"name": "ann"})
        assert m.call_count == 3


@pytest.mark.parametrize("ask", BLOCKING, ids=named)
async def test_a_blocking_client_may_be_called_from_an_async_test(ask):
    """The mock does not need the test's loop to answer."""

    def callback(url, *, query, **kwargs):
        return CallbackResult(payload=query)

    async with aiointercept() as m:
        m.get(f"{m.server_url}/static", body=b"static")
        m.get(re.compile(".*/callback"), callback=callback)
        assert ask(f"{m.server_url}/static") == (200, b"static")
        assert ask(f"{m.server_url}/callback?a=1") == (200, b'{"a": ["1"]}')


@pytest.mark.parametrize("ask", CLIENTS, ids=named)
def test_a_closed_connection_is_one_failure_and_one_request(ask):
    with aiointercept() as m:
        closing = m.get(f"{m.server_url}/x", exception=True)
        m.get(f"{m.server_url}/x", body=b"next")
        with pytest.raises(DISCONNECTED):
            ask(f"{m.server_url}/x")
        assert ask(f"{m.server_url}/x") == (200, b"next")
        assert (closing.call_count, m.call_count) == (1, 2)
        for count in (3, 4):
            with pytest.raises(DISCONNECTED):
                ask(f"{m.server_url}/unmatched")
            assert m.call_count == count


async def test_httpx_in_the_tests_own_loop():
    async def callback(url, *, json, **kwargs):
        return CallbackResult(payload=json)

    async def body():
        for n in range(3):
            yield f"{n}".encode()

    async with aiointercept() as m, httpx.AsyncClient(base_url=m.server_url, verify=False) as client:
        m.post(f"{m.server_url}/echo", callback=callback)
        m.get(f"{m.server_url}/stream", body=body)
        assert (await client.post("/echo", json={"n": 1})).json() == {"n": 1}
        async with client.stream("GET", "/stream") as response:
            assert b"".join([chunk async for chunk in response.aiter_bytes()]) == b"012"


def test_other_clients_are_not_redirected_where_external_urls_are_mocked():
    """Only aiohttp's are; `server_url` works for all in this mode too."""
    with aiointercept(mock_external_urls=True) as m:
        m.get(f"{m.server_url}/x", body=b"found", repeat=True)
        for ask in CLIENTS:
            assert ask(f"{m.server_url}/x") == (200, b"found")


async def test_httpx_under_trio():
    trio = pytest.importorskip("trio")

    async def ask(url):
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            return (await client.get(url)).json()

    async with aiointercept() as m:
        m.get(f"{m.server_url}/x", payload="found")
        assert await asyncio.to_thread(trio.run, ask, f"{m.server_url}/x") == "found"
