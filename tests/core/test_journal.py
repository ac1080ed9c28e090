"""Recorded requests: by key, in order, and complete when many threads send requests."""

import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from memory_client import MemoryClient, make_request, match
from yarl import URL

from aiointercept_core import CallbackResult, Registry

USERS = "https://api.test/users"


@pytest.fixture
def registry():
    return Registry()


def test_an_empty_journal(registry):
    assert registry.requests == {}
    assert not registry.requests
    assert list(registry.requests) == []
    assert registry.ordered_requests == []
    assert registry.call_count == 0
    assert registry.last_request is None
    assert registry.journal.records == []


def test_requests_by_key_in_order_of_arrival(registry):
    registry.get(USERS, repeat=2)
    first = match(registry, "get", f"{USERS}?b=2&a=1#top").request
    second = match(registry, "POST", "HTTPS://API.test.:443/users").request
    third = match(registry, "GET", f"{USERS}?a=1&b=2").request
    assert list(registry.requests) == [("GET", URL(f"{USERS}?a=1&b=2")), ("POST", URL(USERS))]
    assert list(registry.requests.values()) == [[first, third], [second]]
    assert registry.requests == {("GET", URL(f"{USERS}?a=1&b=2")): [first, third], ("POST", URL(USERS)): [second]}
    assert registry.ordered_requests == [
        (("GET", URL(f"{USERS}?a=1&b=2")), first),
        (("POST", URL(USERS)), second),
        (("GET", URL(f"{USERS}?a=1&b=2")), third),
    ]
    assert registry.call_count == 3
    assert registry.last_request is third


@pytest.mark.parametrize(
    "key",
    [
        ("POST", URL(f"{USERS}?a=1&b=2")),
        ("post", f"{USERS}?a=1&b=2"),
        ("Post", "HTTPS://API.test.:443/users?b=2&a=1#top"),
        ("POST", URL(f"{USERS}?b=2&a=1")),
        ("POST", URL(f"{USERS}?b=%32&a=1", encoded=True)),
    ],
)
def test_keys_are_normalised(registry, key):
    request = match(registry, "POST", f"{USERS}?b=2&a=1").request
    assert registry.requests[key] == [request]
    assert registry.requests[key][-1] is request
    assert registry.requests.get(key) == [request]
    assert key in registry.requests


def test_a_key_without_requests(registry):
    match(registry, "GET", USERS)
    assert ("POST", USERS) not in registry.requests
    assert registry.requests.get(("POST", USERS)) is None
    assert registry.requests.get(("POST", USERS), []) == []
    with pytest.raises(KeyError, match="POST"):
        registry.requests["POST", USERS]
    assert registry.requests.keys() == {("GET", URL(USERS))}


@pytest.mark.parametrize("key", [USERS, ("GET",), ("GET", USERS, 1), (1, USERS), ("GET", None), None])
def test_an_invalid_key(registry, key):
    assert key not in registry.requests
    with pytest.raises(
        TypeError,
        match=r"the key must be a pair \(METHOD, URL\), got .*; write requests\['GET', url\]$|the URL must be a str",
    ):
        registry.requests[key]


def test_new_requests_may_be_recorded_during_iteration(registry):
    log = registry.requests
    for number in range(5):
        match(registry, "GET", f"{USERS}/{number}")
    assert len(log) == 5
    for keys in (log, log.keys()):
        for _, url in keys:
            match(registry, "GET", url / "more")
    for (_, url), requests in log.items():
        match(registry, "GET", url / "more")
        assert requests
    for requests in log.values():
        match(registry, "GET", requests[0].url / "more")
    assert len(log) == registry.call_count - sum(len(requests) - 1 for requests in log.values())


async def test_all_requests_are_recorded(registry):
    client = MemoryClient(registry)
    error = ValueError("mine")

    def fail(url, **kwargs):
        raise error

    registry.get(f"{USERS}/answered")
    registry.get(f"{USERS}/closed", exception=True)
    registry.get(f"{USERS}/failed", callback=fail)
    registry.get(re.compile(".*/pattern"))
    for name, outcome in (("unmatched", ConnectionError), ("closed", ConnectionError), ("failed", ValueError)):
        with pytest.raises(outcome):
            await client.get(f"{USERS}/{name}")
    for name in ("pattern", "answered"):
        await client.get(f"{USERS}/{name}")
    assert [url.name for (_, url), _ in registry.ordered_requests] == [
        *("unmatched", "closed", "failed", "pattern", "answered")
    ]
    assert [record.route is None for record in registry.journal.records] == [True, False, False, False, False]


async def test_requests_are_in_the_order_in_which_they_were_matched(registry):
    client = MemoryClient(registry)

    async def ask_more(url, **kwargs):
        await client.get(f"{USERS}/inner")
        return CallbackResult()

    registry.get(f"{USERS}/outer", callback=ask_more)
    registry.get(f"{USERS}/inner")
    await client.get(f"{USERS}/outer")
    assert [url.name for (_, url), _ in registry.ordered_requests] == ["outer", "inner"]


def test_the_request_object_of_the_transport_is_recorded(registry):
    request = make_request("put", USERS, headers={"X-A": "1"}, body=b"body")
    record = registry.match(request)
    assert record.request is request
    assert registry.last_request is request
    assert (record.key, record.unmatched) == (("PUT", URL(USERS)), True)


def test_clear_forgets_everything(registry):
    registry.get(USERS, repeat=True)
    match(registry, "GET", USERS)
    before = registry.requests
    registry.clear()
    assert registry.requests == {}
    assert registry.call_count == 0
    # A log that was kept is not changed.
    assert list(before) == [("GET", URL(USERS))]


# Threads.

THREADS = 16


@pytest.fixture
def frequent_switches():
    """Switch between threads as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def run_in_threads(work):
    """Run `work(number)` on many threads that start together and return the results."""
    barrier = threading.Barrier(THREADS)

    def run(number):
        barrier.wait(10)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


@pytest.mark.usefixtures("frequent_switches")
def test_many_threads_consume_exactly_what_is_registered(registry):
    first, second = registry.get(USERS, repeat=500), registry.get(USERS, repeat=100)
    pattern = registry.get(re.compile("https:"), repeat=50)
    results = run_in_threads(lambda _: [match(registry, "GET", USERS) for _ in range(50)])
    records = [record for result in results for record in result]
    assert len(records) == 800
    for route, count in ((first, 500), (second, 100), (pattern, 50), (None, 150)):
        assert sum(record.route is route for record in records) == count
    assert [route.call_count for route in (first, second, pattern)] == [500, 100, 50]
    # The journal has the routes in the order of registration, because matching and recording are one step.
    assert [record.route for record in registry.journal.records] == (
        [first] * 500 + [second] * 100 + [pattern] * 50 + [None] * 150
    )
    assert len(registry.requests["GET", USERS]) == registry.call_count == 800


@pytest.mark.usefixtures("frequent_switches")
def test_threads_register_request_read_and_clear_at_the_same_time(registry):
    def work(number):
        for step in range(60):
            url = f"{USERS}/{step}"
            if number == 0 and step % 20 == 19:
                registry.clear()
            elif number % 4 == 0:
                registry.get(url)
                registry.get(re.compile(f".*/{step}$"))
                assert all(route.method == "GET" for route in registry.routes)
            elif number % 4 == 1:
                for (method, _), requests in registry.requests.items():
                    assert (method, bool(requests)) == ("GET", True)
                assert all(key[0] == "GET" for key, _ in registry.ordered_requests)
            elif number % 4 == 2:
                registry.covers(URL(url))
                with pytest.raises(AssertionError, match="expected"):
                    registry.assert_any_call("https://elsewhere.test/")
            else:
                assert match(registry, "GET", url).key == ("GET", URL(url))

    run_in_threads(work)
    registry.clear()
    route = registry.get(USERS)
    assert match(registry, "GET", USERS).route is route
