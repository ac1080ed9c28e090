"""What answers which request, as tests for aioresponses rely on it: queues, order, patterns, params, passthrough."""

import asyncio
import importlib
import os
import re

import aiohttp
import pytest
from multidict import MultiDict
from support import real_server
from yarl import URL as Url

library = importlib.import_module(os.environ.get("AIORESPONSES_STYLE_LIBRARY", "aiointercept.compat"))
CallbackResult, aioresponses = library.CallbackResult, library.aioresponses

URL = "http://api.example.com/v1/things"


@pytest.fixture
def m():
    with aioresponses() as m:
        yield m


async def statuses(count, url=URL, method="GET", **options):
    """Ask several times; `None` stands for a refused connection."""
    found = []
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            try:
                async with session.request(method, url, **options) as response:
                    found.append(response.status)
            except aiohttp.ClientConnectionError:
                found.append(None)
    return found


async def test_a_registration_answers_once(m):
    m.get(URL, status=200)
    assert await statuses(2) == [200, None]


async def test_several_registrations_answer_in_order(m):
    m.get(URL, status=500)
    m.get(URL, status=404)
    m.get(URL, status=200)
    assert await statuses(4) == [500, 404, 200, None]


@pytest.mark.parametrize(("repeat", "answers"), [(False, 1), (1, 1), (2, 2), (3, 3)])
async def test_repeat_a_number_of_times(m, repeat, answers):
    m.get(URL, status=500, repeat=repeat)
    m.get(URL, status=200)
    assert await statuses(answers + 2) == [500] * answers + [200, None]


async def test_repeat_for_ever(m):
    m.get(URL, status=201, repeat=True)
    assert await statuses(10) == [201] * 10


async def test_what_comes_behind_a_reply_that_repeats_for_ever_is_never_reached(m):
    m.get(URL, status=201, repeat=True)
    m.get(URL, status=500)
    m.get(URL, status=501, repeat=True)
    m.get(re.compile(r".*things"), status=502, repeat=True)
    assert await statuses(3) == [201] * 3


async def test_exact_urls_and_patterns_share_one_order(m):
    m.get(re.compile(r"^http://api\.example\.com/.*$"), status=201)
    m.get(URL, status=202)
    m.get(re.compile(r"things"), status=500)
    m.get(re.compile(r".*/things$"), status=203)
    m.get(URL, status=204)
    assert await statuses(5) == [201, 202, 203, 204, None]


async def test_a_pattern_that_repeats_hides_the_exact_url_behind_it(m):
    m.get(re.compile(r".*"), status=200, repeat=True)
    m.get(URL, status=500)
    assert await statuses(3) == [200, 200, 200]


async def test_an_exact_url_in_front_of_a_pattern_that_repeats(m):
    m.get(URL, status=500, repeat=2)
    m.get(re.compile(r".*"), status=200, repeat=True)
    assert await statuses(4) == [500, 500, 200, 200]


async def test_methods_are_distinguished(m):
    m.get(URL, status=200)
    m.post(URL, status=201)
    m.add(URL, method="get", status=202)
    assert await statuses(2, method="POST") == [201, None]
    assert await statuses(3, method="GET") == [200, 202, None]


async def test_nothing_registered(m):
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError, match=f"Connection refused: GET {URL}"):
            await session.get(URL)


@pytest.mark.parametrize(
    ("registered", "asked"),
    [
        ("http://example.com", "http://example.com/"),
        ("http://example.com/", "http://example.com"),
        ("http://example.com/?b=1&a=2", "http://example.com?a=2&b=1"),
        ("http://example.com/?a=1&a=2", "http://example.com/?a=1&a=2"),
        ("http://example.com/a b", "http://example.com/a%20b"),
        ("http://example.com/?q=a b", "http://example.com/?q=a+b"),
        ("http://EXAMPLE.com/x", "http://example.com/x"),
        ("https://example.com:8443/x", "https://example.com:8443/x"),
        ("http://bücher.example/ä?ö=ü", "http://xn--bcher-kva.example/%C3%A4?%C3%B6=%C3%BC"),
    ],
)
async def test_urls_that_are_the_same(m, registered, asked):
    m.get(registered, status=201)
    m.get(Url(registered), status=202)
    assert [*await statuses(1, Url(asked)), *await statuses(1, asked)] == [201, 202]


@pytest.mark.parametrize(
    ("registered", "asked"),
    [
        ("http://example.com/a", "http://example.com/a/"),
        ("http://example.com/a", "http://example.com/A"),
        ("http://example.com/a", "https://example.com/a"),
        ("http://example.com/a", "http://www.example.com/a"),
        ("http://example.com/a", "http://example.com:8080/a"),
        ("http://example.com/a", "http://example.com/a?b=1"),
        ("http://example.com/a?b=1", "http://example.com/a"),
        ("http://example.com/a?b=1", "http://example.com/a?b=2"),
        ("http://example.com/a?b=1", "http://example.com/a?b=1&b=1"),
        ("http://example.com/a%2Fb", "http://example.com/a/b"),
    ],
)
async def test_urls_that_are_not_the_same(m, registered, asked):
    m.get(registered)
    assert await statuses(1, Url(asked)) == [None]


@pytest.mark.parametrize(
    "params",
    [
        {"a": "1", "b": "two words"},
        {"b": "two words", "a": 1},
        [("b", "two words"), ("a", "1")],
        (("a", "1"), ("b", "two words")),
        MultiDict(a="1", b="two words"),
        "a=1&b=two+words",
    ],
    ids=["dict", "int", "list", "tuple", "multidict", "str"],
)
async def test_params_are_part_of_the_url(m, params):
    m.get(f"{URL}?a=1&b=two+words", status=200, repeat=True)
    assert await statuses(1, params=params) == [200]
    assert await statuses(1, f"{URL}?", params=params) == [200]


async def test_params_join_the_query_that_is_there(m):
    m.get(f"{URL}?a=1&b=2&b=3", status=200)
    assert await statuses(1, f"{URL}?b=2", params={"a": "1", "b": "3"}) == [200]


@pytest.mark.parametrize("params", [None, {}, [], ""])
async def test_params_that_are_empty(m, params):
    m.get(f"{URL}?a=1", status=200)
    assert await statuses(1, f"{URL}?a=1", params=params) == [200]


@pytest.mark.parametrize(
    ("pattern", "asked", "matches"),
    [
        (r"^http://example\.com/api\?foo=.*$", "http://example.com/api?foo=bar", True),
        (r"^http://example\.com/users/\d+$", "http://example.com/users/42", True),
        (r"^http://example\.com/users/\d+$", "http://example.com/users/42?x=1", False),
        (r"example", "http://example.com/", False),
        (r".*example", "http://example.com/", True),
        (r"^http://example\.com$", "http://example.com", True),
        (r"^http://example\.com/$", "http://example.com/", True),
        (r"^https://", "http://example.com/", False),
        (r".*\?a=1&b=2$", "http://example.com/?b=2&a=1", True),
        (r".*/a%20b$", "http://example.com/a b", True),
        (r"(?i)HTTP://EXAMPLE", "http://example.com/", True),
    ],
)
async def test_patterns(m, pattern, asked, matches):
    m.get(re.compile(pattern), status=200)
    assert await statuses(1, asked) == [200 if matches else None]


@pytest.mark.parametrize("first", ["http://example.com", "http://example.com/"])
async def test_a_pattern_distinguishes_an_empty_path_from_a_slash(m, first):
    m.get(re.compile(r"^http://example\.com$"), status=201, repeat=True)
    m.get(re.compile(r"^http://example\.com/$"), status=202, repeat=True)
    await statuses(1, first)
    assert await statuses(1, "http://example.com") == [201]
    assert await statuses(1, "http://example.com/") == [202]


async def test_a_pattern_sees_the_params(m):
    m.get(re.compile(r"^http://api\.example\.com/v1/things\?page=\d+&size=10$"), status=200, repeat=True)
    assert await statuses(1, params={"size": 10, "page": 3}) == [200]


@pytest.mark.parametrize(
    "base", ["http://api.example.com/v1/", "http://api.example.com"], ids=["with-path", "origin-only"]
)
async def test_session_with_a_base_url(m, base):
    m.get(URL, status=200)
    path = "things" if base.endswith("/") else "/v1/things"
    async with aiohttp.ClientSession(base_url=base) as session:
        response = await session.get(path)
        assert response.status == 200
    m.assert_called_once_with(URL)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.1.2.3/",
        "https://192.0.2.7:8443/x",
        "http://127.0.0.1/",
        "http://127.0.0.1:1/api",
        "http://[::1]:1/api",
        "http://[2001:db8::1]/",
        "http://localhost/",
        "http://localhost:1/api",
        "https://localhost/",
        "http://0.0.0.0:1/",
        "http://intranet/",
        "https://name.invalid/",
    ],
)
async def test_every_host_is_intercepted(m, url):
    # Not registered at all, exactly, by a pattern.
    assert await statuses(1, url) == [None]
    m.get(url, status=207)
    m.get(re.compile(re.escape(url)), status=208)
    assert await statuses(3, url) == [207, 208, None]
    assert [str(one) for _, one in m.requests] == [url]


async def test_https_and_http_are_distinguished(m):
    m.get("http://example.com/", body="plain", repeat=True)
    m.get("https://example.com/", body="secret", repeat=True)
    async with aiohttp.ClientSession() as session:
        for scheme, text in [("http", "plain"), ("https", "secret")] * 2:
            response = await session.get(f"{scheme}://example.com/")
            assert (await response.text(), response.url.scheme) == (text, scheme)


async def test_ssl_arguments_are_the_callers_own(m):
    m.get("https://example.com/", repeat=True)
    assert await statuses(1, "https://example.com/", ssl=False) == [200]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:
        assert (await session.get("https://example.com/")).status == 200


async def test_concurrent_requests_are_served_in_the_order_of_the_calls(m):
    for number in range(20):
        m.post(URL, payload=number)

    async with aiohttp.ClientSession() as session:

        async def ask(number):
            # The earlier the call, the longer its body.
            response = await session.post(URL, data=b"x" * 100_000 * (number < 3), headers={"X-Number": str(number)})
            return await response.json()

        assert await asyncio.gather(*(ask(number) for number in range(20))) == list(range(20))
    ((key, calls),) = m.requests.items()
    assert key == ("POST", Url(URL))
    assert [call.kwargs["headers"]["X-Number"] for call in calls] == [str(number) for number in range(20)]


async def test_concurrent_requests_for_different_urls(m):
    for number in range(50):
        m.get(f"{URL}/{number}", payload=number)
    async with aiohttp.ClientSession() as session:

        async def ask(number):
            async with session.get(f"{URL}/{number}") as response:
                return await response.json()

        assert await asyncio.gather(*map(ask, range(50))) == list(range(50))
    assert len(m.requests) == 50


async def test_passthrough_of_prefixes():
    async with real_server() as server:
        with aioresponses(passthrough=[server.url, "http://nothing.there"]) as m:
            m.get(URL, body="mocked")
            async with aiohttp.ClientSession() as session:
                response = await session.get(f"{server.url}/path", params={"a": 1})
                assert await response.text() == "real GET /path?a=1"
                response = await session.get(URL)
                assert await response.text() == "mocked"
            # Only what was mocked counts as a call.
            m.assert_called_once_with(URL)
    assert server.hits == [("GET", "/path?a=1")]


async def test_passthrough_of_a_prefix_with_a_path():
    async with real_server() as server:
        with aioresponses(passthrough=[f"{server.url}/real"]) as m:
            m.get(f"{server.url}/mocked", status=299)
            assert await statuses(1, f"{server.url}/real/one") == [200]
            assert await statuses(1, f"{server.url}/mocked") == [299]
            assert await statuses(1, f"{server.url}/neither") == [None]
    assert server.hits == [("GET", "/real/one")]


async def test_passthrough_of_an_ip_address_with_a_body():
    async with real_server() as server:
        url = f"http://127.0.0.1:{server.port}/upload"
        with aioresponses(passthrough=["http://127.0.0.1"]):
            assert await statuses(1, url, "POST", data=b"body") == [200]
    assert server.hits == [("POST", "/upload")]


async def test_passthrough_wins_over_what_is_registered():
    async with real_server() as server:
        with aioresponses(passthrough=[server.url]) as m:
            m.get(f"{server.url}/", status=500)
            assert await statuses(1, f"{server.url}/") == [200]
            m.assert_not_called()


async def test_passthrough_unmatched():
    async with real_server() as server:
        with aioresponses(passthrough_unmatched=True) as m:
            m.get(URL, body="mocked")
            m.get(f"{server.url}/mocked", body="mocked as well")
            async with aiohttp.ClientSession() as session:
                for url, text in [
                    (URL, "mocked"),
                    (f"{server.url}/real?x=1", "real GET /real?x=1"),
                    (f"{server.url}/mocked", "mocked as well"),
                    (f"{server.url}/mocked", "real GET /mocked"),
                ]:
                    response = await session.get(url)
                    assert (await response.text(), str(response.url)) == (text, url)
            assert [len(calls) for calls in m.requests.values()] == [1, 1, 2]
    assert server.hits == [("GET", "/real?x=1"), ("GET", "/mocked")]


async def test_passthrough_unmatched_is_read_at_each_request():
    async with real_server() as server:
        with aioresponses() as m:
            assert await statuses(1, server.url) == [None]
            m.passthrough_unmatched = True
            assert await statuses(1, server.url) == [200]


async def test_passthrough_of_what_a_redirect_leads_to():
    async with real_server() as server:
        with aioresponses(passthrough_unmatched=True) as m:
            m.get(URL, body="mocked", repeat=True)
            assert await statuses(2) == [200, 200]
            assert await statuses(1, f"{server.url}/", method="PUT", data=b"x") == [200]
    assert server.hits == [("PUT", "/")]
