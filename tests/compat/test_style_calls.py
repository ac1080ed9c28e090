"""Recorded calls and assertions on them, as tests for aioresponses make them."""

import importlib
import io
import os
import ssl
import warnings

import aiohttp
import pytest
from multidict import CIMultiDict
from yarl import URL as Url

LIBRARY = os.environ.get("AIORESPONSES_STYLE_LIBRARY", "aiointercept.compat")
library = importlib.import_module(LIBRARY)
CallbackResult, aioresponses = library.CallbackResult, library.aioresponses
# aioresponses has these in modules of their own.
more = importlib.import_module("aioresponses.compat") if LIBRARY == "aioresponses" else library
core = importlib.import_module(f"{LIBRARY}.core")
URL, normalize_url, merge_params, RequestCall = more.URL, more.normalize_url, more.merge_params, core.RequestCall

THINGS = "http://api.example.com/v1/things"
with warnings.catch_warnings():
    # aiohttp 3.14 would rather have a header, and aiohttp 4 has no `auth`.
    warnings.simplefilter("ignore", DeprecationWarning)
    AUTH = [{"auth": aiohttp.BasicAuth("user", "password")}] if hasattr(aiohttp, "BasicAuth") else []


@pytest.fixture
def m():
    with aioresponses() as m:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
            m.add(THINGS, method, repeat=True)
            m.add(f"{THINGS}?a=1&b=2", method, repeat=True)
        yield m


def test_names_of_the_module_core():
    assert library.core is core
    assert (core.aioresponses, core.CallbackResult, core.URL) == (aioresponses, CallbackResult, Url)
    assert (core.normalize_url, core.merge_params) == (normalize_url, merge_params)
    assert core.ClientResponse is aiohttp.ClientResponse


def test_helpers_that_may_be_imported():
    assert URL is Url
    assert normalize_url("http://a.test/?b=2&a=1") == URL("http://a.test/?a=1&b=2")
    assert str(normalize_url(URL("http://a.test"))) == "http://a.test"
    assert merge_params("http://a.test/?x=0", {"b": "2", "a": "1"}) == URL("http://a.test/?x=0&b=2&a=1")
    assert merge_params(URL("http://a.test/?x=0")) == URL("http://a.test/?x=0")
    assert merge_params("http://a.test/", {}) == URL("http://a.test/")
    call = RequestCall(("a",), {"b": 1})
    assert (call.args, call.kwargs) == (("a",), {"b": 1})
    assert call == (("a",), {"b": 1})


async def test_requests_by_method_and_url(m):
    assert m.requests == {}
    async with aiohttp.ClientSession() as session:
        await session.get(THINGS)
        await session.post(THINGS, json={"n": 1})
        await session.post(THINGS, json={"n": 2})
    assert list(m.requests) == [("GET", URL(THINGS)), ("POST", URL(THINGS))]
    assert len(m.requests) == 2
    assert [call.kwargs["json"] for call in m.requests["POST", URL(THINGS)]] == [{"n": 1}, {"n": 2}]
    assert m.requests.get(("PUT", URL(THINGS))) is None
    assert ("GET", URL(THINGS)) in m.requests
    assert ("DELETE", URL(THINGS)) not in m.requests
    with pytest.raises(KeyError):
        m.requests["DELETE", URL(THINGS)]
    (method, url), calls = list(m.requests.items())[-1]
    assert (method, str(url), len(calls)) == ("POST", THINGS, 2)


@pytest.mark.parametrize("method", ["post", "Post", "POST", "purge"])
async def test_requests_keep_the_spelling_of_the_method(m, method):
    m.add(THINGS, "PURGE")
    async with aiohttp.ClientSession() as session:
        await session.request(method, THINGS, json={"n": 1})
    assert list(m.requests) == [(method, URL(THINGS))]
    ((call,),) = m.requests.values()
    assert list(call.kwargs) == ["json", "allow_redirects", *(["data"] if method == "POST" else [])]


async def test_each_spelling_of_a_method_has_its_own_requests(m):
    async with aiohttp.ClientSession() as session:
        await session.request("get", THINGS)
        await session.request("GET", THINGS, params={})
    assert list(m.requests) == [("get", URL(THINGS)), ("GET", URL(THINGS))]
    assert [len(m.requests[method, URL(THINGS)]) for method in ("get", "GET")] == [1, 1]
    m.assert_called_with(THINGS, method="get", params={})


async def test_the_order_of_the_keyword_arguments(m):
    async with aiohttp.ClientSession() as session:
        await session.request("GET", THINGS, allow_redirects=False, timeout=None, headers={"X": "1"})
        await session.post(THINGS, json={}, headers={"X": "1"})
        await session.request("POST", THINGS, json={}, headers={"X": "1"})
    (get,), (first, second) = m.requests.values()
    assert list(get.kwargs) == ["timeout", "headers", "allow_redirects"]
    assert list(first.kwargs) == ["data", "json", "headers", "allow_redirects"]
    assert list(second.kwargs) == ["json", "headers", "allow_redirects", "data"]


async def test_requests_are_found_by_their_normalised_url(m):
    async with aiohttp.ClientSession() as session:
        await session.get(THINGS, params={"b": 2, "a": 1})
    (key,) = m.requests
    assert key == ("GET", URL(f"{THINGS}?a=1&b=2"))
    assert m.requests["GET", normalize_url(f"{THINGS}?b=2&a=1")][0].kwargs["params"] == {"b": 2, "a": 1}


async def test_a_call_is_a_request_call(m):
    async with aiohttp.ClientSession() as session:
        await session.get(THINGS, headers={"X-One": "1"})
    (call,) = m.requests["GET", URL(THINGS)]
    assert isinstance(call, RequestCall)
    assert call.args == ()
    assert call.kwargs == {"allow_redirects": True, "headers": {"X-One": "1"}}
    assert call == RequestCall((), {"allow_redirects": True, "headers": {"X-One": "1"}})


@pytest.mark.parametrize(
    ("method", "implied"),
    [
        ("get", {"allow_redirects": True}),
        ("options", {"allow_redirects": True}),
        ("head", {"allow_redirects": False}),
        ("delete", {"allow_redirects": True}),
        ("post", {"allow_redirects": True, "data": None}),
        ("put", {"allow_redirects": True, "data": None}),
        ("patch", {"allow_redirects": True, "data": None}),
    ],
)
async def test_arguments_that_the_methods_of_a_session_imply(m, method, implied):
    async with aiohttp.ClientSession() as session:
        await getattr(session, method)(THINGS)
    assert m.requests[method.upper(), URL(THINGS)][0].kwargs == implied


@pytest.mark.filterwarnings("ignore:The 'auth' parameter:DeprecationWarning")
@pytest.mark.parametrize(
    "options",
    [
        {"data": b"bytes"},
        {"data": "text"},
        {"data": {"field": "value"}},
        {"data": [("field", "value")]},
        {"json": {"a": [1, {"b": None}]}},
        {"params": {"a": "1", "b": "2"}},
        {"params": [("b", "2"), ("a", "1")]},
        {"headers": {"X-One": "1"}},
        {"timeout": aiohttp.ClientTimeout(total=30)},
        {"timeout": None},
        {"ssl": False},
        {"ssl": ssl.create_default_context()},
        {"allow_redirects": False},
        *AUTH,
        {"cookies": {"a": "1"}, "raise_for_status": True, "chunked": None, "compress": None, "expect100": False},
    ],
    ids="-".join,
)
async def test_the_keyword_arguments_of_a_call(m, options):
    async with aiohttp.ClientSession() as session:
        await session.post(THINGS, **options)
    ((call,),) = m.requests.values()
    assert call.kwargs == {"allow_redirects": True, "data": None, **options}
    url = f"{THINGS}?a=1&b=2" if "params" in options else THINGS
    assert list(m.requests) == [("POST", URL(url))]
    m.assert_called_once_with(THINGS, method="POST", **options)


async def test_the_headers_of_the_session_are_among_the_headers(m):
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer x", "X-One": "session"}) as session:
        await session.get(THINGS)
        await session.get(THINGS, headers={"x-one": "call"})
    first, second = m.requests["GET", URL(THINGS)]
    assert first.kwargs["headers"] == {"Authorization": "Bearer x", "X-One": "session"}
    assert second.kwargs["headers"]["Authorization"] == "Bearer x"
    assert list(second.kwargs["headers"].getall("X-One")) == ["call"]


async def test_what_is_changed_later_was_not_passed(m):
    payload, headers = {"items": [1]}, {"X-One": "1"}
    async with aiohttp.ClientSession() as session:
        await session.post(THINGS, json=payload, headers=headers)
        payload["items"].append(2)
        headers["X-Two"] = "2"
        await session.post(THINGS, json=payload, headers=headers)
        payload.clear()
    first, second = (call.kwargs for call in m.requests["POST", URL(THINGS)])
    assert (first["json"], first["headers"]) == ({"items": [1]}, {"X-One": "1"})
    assert (second["json"], second["headers"]) == ({"items": [1, 2]}, {"X-One": "1", "X-Two": "2"})


async def test_what_cannot_be_copied_is_recorded_as_it_is(m):
    class Data(dict):
        def __deepcopy__(self, memo):
            raise TypeError("not to be copied")

    data = Data(field="value")
    async with aiohttp.ClientSession() as session:
        await session.post(THINGS, data=data)
    assert m.requests["POST", URL(THINGS)][0].kwargs["data"] is data


async def test_a_stream_that_was_sent(m):
    async def chunks():
        yield b"one "
        yield b"two"

    async with aiohttp.ClientSession() as session:
        await session.post(THINGS, data=chunks())
    assert m.requests["POST", URL(THINGS)][0].kwargs["data"] == b"one two"


async def test_a_file_that_was_sent(m):
    async with aiohttp.ClientSession() as session:
        await session.post(THINGS, data=io.BytesIO(b"of the file"))
    (call,) = m.requests["POST", URL(THINGS)]
    assert call.kwargs["data"].read() == b"of the file"


async def test_a_form_that_was_sent(m):
    form = aiohttp.FormData()
    form.add_field("name", "value")
    async with aiohttp.ClientSession() as session:
        await session.post(THINGS, data=form)
    (call,) = m.requests["POST", URL(THINGS)]
    assert isinstance(call.kwargs["data"], aiohttp.FormData)


async def test_calls_that_nothing_answered_or_that_failed_are_recorded(m):
    m.clear()
    m.get(THINGS, exception=ValueError())
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ValueError):  # noqa: PT011
            await session.get(THINGS)
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(THINGS)
    assert len(m.requests["GET", URL(THINGS)]) == 2


async def test_calls_stay_after_the_block():
    with aioresponses() as m:
        m.get(THINGS)
        async with aiohttp.ClientSession() as session:
            await session.get(THINGS)
    m.assert_called_once_with(THINGS)
    assert len(m.requests["GET", URL(THINGS)]) == 1


# Assertions


async def test_assert_called_and_not_called(m):
    m.assert_not_called()
    with pytest.raises(AssertionError, match=r"Expected 'aioresponses' to have been called\."):
        m.assert_called()
    async with aiohttp.ClientSession() as session:
        await session.get(THINGS)
    m.assert_called()
    with pytest.raises(AssertionError, match=r"Expected 'aioresponses' to not have been called\. Called 1 times\."):
        m.assert_not_called()


async def test_assert_called_once(m):
    with pytest.raises(AssertionError, match=r"to have been called once\. Called 0 times\."):
        m.assert_called_once()
    async with aiohttp.ClientSession() as session:
        await session.get(THINGS)
        m.assert_called_once()
        await session.get(THINGS)
        with pytest.raises(AssertionError, match=r"to have been called once\. Called 2 times\."):
            m.assert_called_once()


async def test_assert_called_once_counts_all_urls(m):
    async with aiohttp.ClientSession() as session:
        await session.get(THINGS)
        await session.post(THINGS)
    with pytest.raises(AssertionError, match=r"Called 2 times\."):
        m.assert_called_once()


async def test_assert_any_call(m):
    async with aiohttp.ClientSession() as session:
        await session.get(THINGS)
        await session.post(THINGS, params={"a": "1", "b": "2"})
        await session.get(THINGS, headers={"X": "1"})
    m.assert_any_call(THINGS)
    m.assert_any_call(URL(THINGS), "GET")
    m.assert_any_call(THINGS, method="post", params={"a": "1", "b": "2"})
    m.assert_any_call(f"{THINGS}?b=2&a=1", method="POST")
    for url, options in [("http://other.test/", {}), (THINGS, {"method": "PUT"}), (THINGS, {"params": {"a": "1"}})]:
        with pytest.raises(AssertionError, match="call not found"):
            m.assert_any_call(url, **options)


async def test_assert_called_with_compares_the_last_call(m):
    async with aiohttp.ClientSession() as session:
        await session.post(THINGS, json={"n": 1})
        await session.post(THINGS, json={"n": 2})
    m.assert_called_with(THINGS, method="POST", json={"n": 2})
    m.assert_called_with(URL(THINGS), "POST", json={"n": 2}, data=None, allow_redirects=True)
    for options in [{"json": {"n": 1}}, {}, {"json": {"n": 2}, "headers": {}}, {"json": {"n": 2}, "data": b""}]:
        with pytest.raises(AssertionError, match="!="):
            m.assert_called_with(THINGS, method="POST", **options)
    with pytest.raises(AssertionError, match="call not found"):
        m.assert_called_with(THINGS, json={"n": 2})
    with pytest.raises(AssertionError, match="call not found"):
        m.assert_called_with("http://other.test/", "POST", json={"n": 2})


async def test_assert_called_with_some_arguments(m):
    async with aiohttp.ClientSession() as session:
        await session.post(THINGS, json={"n": 1}, headers={"X": "1"}, timeout=aiohttp.ClientTimeout(5))
    m.assert_called_with(THINGS, "POST", args_to_match=["json"], json={"n": 1})
    m.assert_called_with(THINGS, "POST", ["json", "headers"], json={"n": 1}, headers={"X": "1"})
    m.assert_called_with(THINGS, method="POST", args_to_match=[])
    with pytest.raises(AssertionError):
        m.assert_called_with(THINGS, "POST", args_to_match=["json"], json={"n": 2})
    with pytest.raises(AssertionError):
        m.assert_called_with(THINGS, "POST", args_to_match=["auth"], auth=None)


async def test_assert_called_with_params(m):
    async with aiohttp.ClientSession() as session:
        await session.get(THINGS, params={"b": "2", "a": "1"})
    m.assert_called_with(THINGS, params={"a": "1", "b": "2"})
    with pytest.raises(AssertionError):
        m.assert_called_with(THINGS, params={"a": "1", "b": "3"})
    with pytest.raises(AssertionError):
        m.assert_called_with(f"{THINGS}?a=1&b=2")


async def test_assert_called_once_with(m):
    async with aiohttp.ClientSession() as session:
        await session.put(THINGS, data="text")
        m.assert_called_once_with(THINGS, method="PUT", data="text")
        m.assert_called_once_with(THINGS, "PUT", data="text")
        with pytest.raises(AssertionError):
            m.assert_called_once_with(THINGS, method="PUT", data="other")
        await session.put(THINGS, data="text")
    with pytest.raises(AssertionError, match=r"Called 2 times\."):
        m.assert_called_once_with(THINGS, method="PUT", data="text")


async def test_assertions_compare_headers_of_any_kind(m):
    async with aiohttp.ClientSession(headers={"X-Session": "1"}) as session:
        await session.get(THINGS, headers=CIMultiDict({"X-Call": "2"}))
    m.assert_called_once_with(THINGS, headers={"X-Session": "1", "X-Call": "2"})
    with pytest.raises(AssertionError):
        m.assert_called_once_with(THINGS, headers={"X-Call": "2"})


async def test_the_message_names_a_subclass():
    class mocked_api(aioresponses):
        pass

    with mocked_api() as m, pytest.raises(AssertionError, match="Expected 'mocked_api' to have been called"):
        m.assert_called()
