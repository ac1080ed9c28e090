"""Why nothing answered: named in one line, whose size and cost do not grow with what is registered."""

import logging
import re
import time

import pytest
from memory_client import MemoryClient, choose, made_request

from aiointercept_core import CloseConnection, Registry

USERS = "https://api.test/users?page=1"
HEAD = f"nothing registered matches GET {USERS}"


def explain(registry, method="GET", url=USERS):
    return choose(registry, method, url).explanation


@pytest.fixture
def registry():
    return Registry()


def test_nothing_is_registered(registry):
    assert explain(registry) == f"{HEAD}: nothing is registered"


@pytest.mark.parametrize(
    ("method", "url", "difference"),
    [
        ("POST", USERS, "method"),
        ("GET", "http://api.test/users?page=1", "scheme"),
        ("GET", "http://api.test:8080/users?page=1", "scheme, port"),
        ("GET", "https://apl.test/users?page=1", "host"),
        ("GET", "https://api.test:8443/users?page=1", "port"),
        ("GET", "https://api.test/user?page=1", "path"),
        ("GET", "https://api.test/users/?page=1", "path"),
        ("GET", "https://api.test/v2/users?page=1", "path"),
        ("GET", "https://api.test/users?page=2", "query (page)"),
        ("GET", "https://api.test/users", "query (page)"),
        ("GET", "https://api.test/users?page=1&page=1", "query (page)"),
        ("GET", "https://api.test/users?a=2&b=&page=1", "query (a, b)"),
        ("PUT", "http://other.test/?page=1", "method, scheme, host, path"),
    ],
)
def test_what_differs(registry, method, url, difference):
    registry.add(url, method)
    assert explain(registry) == f"{HEAD}; nearest: {method} {url} (differs in {difference})"


def test_the_nearest_come_first(registry):
    for url in (
        "https://elsewhere.test/other",
        "https://api.test/users/1/orders?page=1",
        "https://api.test/user?page=1",
        "https://api.test/users?page=2",
    ):
        registry.get(url)
    registry.post(USERS)
    assert explain(registry) == (
        f"{HEAD}; nearest: POST {USERS} (differs in method); "
        "GET https://api.test/users?page=2 (differs in query (page)); "
        "GET https://api.test/user?page=1 (differs in path)"
    )


OTHER_PATHS, OTHER_NAMES, OTHER_FOLDERS, OTHER_HOSTS = (
    "https://api.test/{0}/things/{0}?page=1",
    "https://api.test/{0}?page=1",
    "https://api.test/{0}/users?page=1",
    "https://host{0}.test/users?page=1",
)


@pytest.mark.parametrize(
    ("near", "difference", "fillers"),
    [
        ("https://api.test/users?page=2", "query (page)", [OTHER_NAMES, OTHER_FOLDERS, OTHER_HOSTS]),
        ("https://api.test/users", "query (page)", [OTHER_NAMES, OTHER_FOLDERS, OTHER_HOSTS]),
        ("http://api.test/users?page=1", "scheme", [OTHER_NAMES, OTHER_HOSTS]),
        ("https://apl.test/users?page=1", "host", [OTHER_NAMES, OTHER_FOLDERS]),
        ("https://api.test/uesrs?page=1", "path", [OTHER_PATHS, OTHER_FOLDERS, OTHER_HOSTS]),
        ("https://api.test/v2/users?page=1", "path", [OTHER_NAMES, OTHER_HOSTS]),
    ],
)
def test_the_nearest_is_found_among_many_that_came_later(registry, near, difference, fillers):
    registry.get(near)
    for number in range(200):
        for filler in fillers:
            registry.get(filler.format(number))
    assert f"GET {near} (differs in {difference})" in explain(registry)


def test_what_is_used_up_is_named_with_its_calls(registry):
    registry.get(USERS, repeat=2)
    registry.get(USERS)
    assert [explain(registry) for _ in range(3)] == [None] * 3
    assert explain(registry) == f"{HEAD}: registered, but used up after 3 calls"
    assert explain(registry, "HEAD") == (
        f"nothing registered matches HEAD {USERS}; nearest: GET {USERS} (differs in method; used up after 3 calls)"
    )


def test_a_used_up_pattern_is_named(registry):
    registry.get(re.compile("^https://api"))
    explain(registry)
    assert explain(registry) == f"{HEAD}: used up after 1 call for pattern '^https://api'"
    registry.get(USERS)
    explain(registry)
    assert explain(registry) == (
        f"{HEAD}: registered, but used up after 1 call; used up after 1 call for pattern '^https://api'"
    )


def test_patterns_that_do_not_match_are_named(registry):
    registry.get(re.compile("^http://api"))
    registry.put(re.compile("elsewhere"))
    registry.post(re.compile("^https://api"))
    registry.get("https://api.test/")
    assert explain(registry) == (
        f"{HEAD}; nearest: GET https://api.test/ (differs in path, query (page)); "
        "POST pattern '^https://api' (differs in method); GET pattern '^http://api' (no match)"
    )


def test_an_explanation_is_forgotten_with_its_registrations(registry):
    registry.post(USERS)
    registry.clear()
    assert explain(registry) == f"{HEAD}: nothing is registered"


def test_no_explanation_where_something_matched(registry):
    registry.get(USERS)
    record = choose(registry, "GET", USERS)
    assert (record.explanation, record.missed) == (None, False)


# Logged and told once.


async def test_a_miss_is_told_to_the_client_and_logged_once(registry, caplog):
    registry.get(USERS)
    client = MemoryClient(registry)
    with caplog.at_level(logging.DEBUG):
        await client.get(USERS)
        assert caplog.records == []
        with pytest.raises(ConnectionError, match="registered, but used up after 1 call"):
            await client.get(USERS)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("aiointercept", "WARNING")
    assert record.getMessage() == f"{HEAD}: registered, but used up after 1 call"
    assert registry.journal.records[-1].explanation == record.getMessage()
    assert registry.journal.records[-1].missed


async def test_a_closed_connection_that_was_asked_for_is_not_logged(registry, caplog):
    registry.get(USERS, exception=True)
    assert await registry.answer(made_request("GET", USERS)) == CloseConnection()
    assert caplog.records == []


def test_choosing_does_not_log(registry, caplog):
    explain(registry)
    assert caplog.records == []


def test_a_request_that_something_else_answers_is_recorded_with_its_reason(registry):
    one = registry.get(USERS)
    record = registry.record(made_request("get", USERS), "forwarded")
    assert (record.response, record.explanation, record.missed) == (None, "forwarded", False)
    assert registry.requests["GET", USERS] == [record.request]
    assert one.call_count == 0


def test_every_request_that_matched_nothing_is_named(registry):
    registry.assert_all_matched()
    registry.get(USERS)
    choose(registry, "GET", USERS)
    registry.assert_all_matched()
    explain(registry)
    explain(registry, url="https://api.test/")
    with pytest.raises(
        AssertionError, match=r"every request to match a registration, 2 did not: nothing.*used up after 1 call"
    ) as caught:
        registry.assert_all_matched()
    assert caught.value.__notes__ == [registry.journal.records[-1].explanation]


# Bounded.


def filled(count):
    registry = Registry()
    for number in range(count):
        registry.get(f"https://api.test/users/{number:05}/orders?page={number:05}")
        # Each takes its time to compile: a tenth is enough.
        if number % 10 == 0:
            registry.post(re.compile(f"https://api.test/users/{number:05}/no"))
    return registry


def cost(registry, asked):
    """Return the least time that an explanation took, in seconds."""
    times = []
    for _ in range(20):
        start = time.perf_counter()
        explain(registry, url=asked)
        times.append(time.perf_counter() - start)
    return min(times)


def test_size_and_cost_are_flat():
    asked = "https://api.test/users/00000/odrers?page=00000"
    few, many = filled(15), filled(5_000)
    assert explain(few, url=asked).count(";") == explain(many, url=asked).count(";") == 5
    assert len(explain(few, url=asked)) == len(explain(many, url=asked))
    assert cost(many, asked) < 20 * cost(filled(1), asked)


def test_many_used_up_patterns_are_not_all_named(registry):
    for number in range(100):
        registry.get(re.compile(f"https://api(?#{number})"))
    for _ in range(100):
        assert explain(registry) is None
    assert explain(registry).count("used up") == 3


def test_a_long_queue_that_is_used_up_is_counted_once():
    registry = Registry()
    for _ in range(5_000):
        registry.get(USERS)
    for _ in range(5_000):
        choose(registry, "GET", USERS)
    assert explain(registry) == f"{HEAD}: registered, but used up after 5000 calls"
    assert cost(registry, USERS) < 20 * cost(filled(1), USERS)


def test_the_text_is_short_however_long_the_urls(registry):
    registry.get(f"https://api.test/{'a' * 60_000}?{'b' * 60_000}=1")
    registry.post(re.compile("c" * 60_000))
    registry.add(USERS, "METHOD" * 10_000)
    text = explain(registry, url=f"https://api.test/{'a' * 60_000}?" + "&".join(f"k{n}={n}" for n in range(6_000)))
    assert "\n" not in text
    assert len(text) < 2_000
    assert "(differs in query (" in text
