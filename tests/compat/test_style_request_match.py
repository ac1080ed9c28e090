"""Responses without a request, as tests that use the internals of aioresponses build them."""

import importlib
import os
import re

import aiohttp
import pytest

core = importlib.import_module(f"{os.environ.get('AIORESPONSES_STYLE_LIBRARY', 'aiointercept.compat')}.core")
URL = core.URL("http://api.example.com/v1/things")


async def test_a_response():
    matcher = core.RequestMatch("url", headers={"Content-Encoding": "gzip"}, payload=[1], status=201)
    response = await matcher.build_response(core.URL("url"))
    assert isinstance(response, aiohttp.ClientResponse)
    assert (response.status, response.headers["content-encoding"]) == (201, "gzip")
    assert response.content_type == "application/json"
    assert await response.json() == [1]


@pytest.mark.parametrize("body", ["text", b"text"])
async def test_a_body(body):
    response = await core.RequestMatch(URL, "POST", body=body, content_type="text/plain").build_response(URL)
    assert await response.content.read() == b"text"
    assert response.url == URL


async def test_a_class_of_response():
    class Response(aiohttp.ClientResponse):
        pass

    assert type(await core.RequestMatch(URL, response_class=Response).build_response(URL)) is Response


async def test_callbacks_and_exceptions():
    async def callback(url, **kwargs):
        return core.CallbackResult(status=kwargs["status"], body=str(url))

    for kind in (callback, lambda url, **kwargs: core.CallbackResult(status=kwargs["status"], body=str(url))):
        response = await core.RequestMatch(URL, callback=kind).build_response(URL, status=404)
        assert (response.status, await response.text()) == (404, str(URL))
    error = ValueError()
    assert await core.RequestMatch(URL, exception=error).build_response(URL) is error
    assert isinstance(await core.RequestMatch(URL, timeout=True).build_response(URL), TimeoutError)


def test_what_it_matches():
    for url in (str(URL), URL, re.compile("http://api")):
        matcher = core.RequestMatch(url, "POST")
        assert matcher.match("post", URL)
        assert not matcher.match("GET", URL)
        assert not matcher.match("POST", core.URL("http://other.test/"))
    assert repr(core.RequestMatch(URL)) == f"RequestMatch('{URL}')"
