"""The explanation of an unmatched request: one line, whose size and cost do not grow with the number of routes."""

import logging
import re
import time

import pytest
from memory_client import MemoryClient, make_request, match

from aiointercept_core import CloseConnection, Registry

USERS = "https://api.test/users?page=1"
HEAD = f"no route matches GET {USERS}"
NONE_LEFT = f"no reply is left for GET {USERS}"


def explain(registry, method="GET", url=USERS):
    return match(registry, method, url).explanation


@pytest.fixture
def registry():
    return Registry()


def test_no_route_is_registered(registry):
    assert explain(registry) == f"{HEAD}: no route is registered"


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
def test_the_differences_are_named(registry, method, url, difference):
    registry.add(url, method)
    assert explain(registry) == f"{HEAD}; nearest: {method} {url} (differs in {difference})"


def test_the_nearest_routes_come_first(registry):
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
def test_the_nearest_route_is_found_among_many_later_ones(registry, near, difference, fillers):
    registry.get(near)
    for number in range(200):
        for filler in fillers:
            registry.get(filler.format(number))
    assert f"GET {near} (differs in {difference})" in explain(registry)


@pytest.mark.parametrize(
    ("repeat", "said"),
    [
        (1, "for 1 call and answered 1; register it again, or pass repeat=2 or repeat=True"),
        (3, "for 3 calls and answered 3; register it again, or pass repeat=4 or repeat=True"),
    ],
)
def test_an_exhausted_route_is_named_with_its_calls(registry, repeat, said):
    registry.get(USERS, repeat=repeat)
    assert [explain(registry) for _ in range(repeat)] == [None] * repeat
    assert explain(registry) == f"{NONE_LEFT}: it was registered {said}"


def test_several_exhausted_routes_for_one_url_are_counted_together(registry):
    registry.get(USERS, repeat=2)
    registry.get(USERS)
    assert [explain(registry) for _ in range(3)] == [None] * 3
    assert explain(registry) == (
        f"{NONE_LEFT}: it was registered for 3 calls and answered 3; register it again, "
        "or pass repeat=True to the last one"
    )
    assert explain(registry, "HEAD") == (
        f"no route matches HEAD {USERS}; nearest: GET {USERS} (differs in method; exhausted after 3 calls)"
    )


def test_an_exhausted_pattern_is_named(registry):
    registry.get(re.compile("^https://api"))
    explain(registry)
    pattern = (
        "GET pattern '^https://api' was registered for 1 call and answered 1; "
        "register it again, or pass repeat=2 or repeat=True"
    )
    assert explain(registry) == f"{NONE_LEFT}: {pattern}"
    registry.get(USERS)
    explain(registry)
    assert explain(registry) == (
        f"{NONE_LEFT}: it was registered for 1 call and answered 1; register it again, "
        f"or pass repeat=2 or repeat=True; {pattern}"
    )


def test_patterns_that_do_not_match_are_named(registry):
    registry.get(re.compile("^http://api"))
    registry.put(re.compile("http://elsewhere"))
    registry.post(re.compile("^https://api"))
    registry.get("https://api.test/")
    assert explain(registry) == (
        f"{HEAD}; nearest: GET https://api.test/ (differs in path, query (page)); "
        "POST pattern '^https://api' (differs in method); GET pattern '^http://api' (differs in URL)"
    )


HINT = (
    r"does not match: patterns are matched from the start of the whole URL, "
    r"for example r'https://api\.example\.com/users'"
)


@pytest.mark.parametrize("pattern", ["/users", "^/users$", r"\d+", "api", "(?i)api", "users.*", "(?P<name>api)"])
def test_a_pattern_that_does_not_begin_like_a_url(registry, pattern):
    registry.get(re.compile(pattern))
    assert explain(registry) == f"{HEAD}; nearest: GET pattern {pattern!r} ({HINT})"
    assert explain(registry, "PUT").endswith(f"GET pattern {pattern!r} (differs in method; {HINT})")


@pytest.mark.parametrize(
    "pattern",
    [
        "http://",
        r"https://api\.test/$",
        "^https?://h",
        "(?i)HTTP://",
        "(?i:http)$",
        ".*/no",
        r"\w+://no",
        "(http|ftp):",
    ],
)
def test_a_pattern_that_begins_like_a_url(registry, pattern):
    registry.get(re.compile(pattern))
    assert explain(registry) == f"{HEAD}; nearest: GET pattern {pattern!r} (differs in URL)"


def test_clear_forgets_the_nearest_routes(registry):
    registry.post(USERS)
    registry.clear()
    assert explain(registry) == f"{HEAD}: no route is registered"


def test_a_matched_request_has_no_explanation(registry):
    registry.get(USERS)
    record = match(registry, "GET", USERS)
    assert (record.explanation, record.unmatched) == (None, False)


# Log and reply.


async def test_an_unmatched_request_is_explained_to_the_client_and_logged_once(registry, caplog):
    registry.get(USERS)
    client = MemoryClient(registry)
    with caplog.at_level(logging.DEBUG):
        await client.get(USERS)
        assert caplog.records == []
        with pytest.raises(ConnectionError, match="registered for 1 call and answered 1"):
            await client.get(USERS)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("aiointercept", "WARNING")
    assert record.getMessage().startswith(f"{NONE_LEFT}: it was registered for 1 call and answered 1")
    assert registry.journal.records[-1].explanation == record.getMessage()
    assert registry.journal.records[-1].unmatched


async def test_a_registered_exception_is_not_logged(registry, caplog):
    registry.get(USERS, exception=True)
    assert await registry.answer(make_request("GET", USERS)) == CloseConnection()
    assert caplog.records == []


def test_matching_does_not_log(registry, caplog):
    explain(registry)
    assert caplog.records == []


def test_a_request_that_no_route_answers_is_recorded_with_its_reason(registry):
    route = registry.get(USERS)
    record = registry.record(make_request("get", USERS), "forwarded")
    assert (record.route, record.explanation, record.unmatched) == (None, "forwarded", False)
    assert registry.requests["GET", USERS] == [record.request]
    assert route.call_count == 0


def test_every_unmatched_request_is_named(registry):
    registry.assert_all_matched()
    registry.get(USERS)
    match(registry, "GET", USERS)
    registry.assert_all_matched()
    explain(registry)
    explain(registry, url="https://api.test/")
    with pytest.raises(
        AssertionError, match=r"every request to match a route, 2 did not: no reply is left.*answered 1"
    ) as caught:
        registry.assert_all_matched()
    assert caught.value.__notes__ == [registry.journal.records[-1].explanation]


# Size and cost are bounded.


def filled(count):
    registry = Registry()
    for number in range(count):
        registry.get(f"https://api.test/users/{number:05}/orders?page={number:05}")
        # Patterns are slow to compile: a tenth is enough.
        if number % 10 == 0:
            registry.post(re.compile(f"https://api.test/users/{number:05}/no"))
    return registry


def cost(registry, url):
    """Return the shortest time of several explanations, in seconds."""
    times = []
    for _ in range(20):
        start = time.perf_counter()
        explain(registry, url=url)
        times.append(time.perf_counter() - start)
    return min(times)


def test_size_and_cost_are_flat():
    url = "https://api.test/users/00000/odrers?page=00000"
    few, many = filled(15), filled(5_000)
    assert explain(few, url=url).count(";") == explain(many, url=url).count(";") == 5
    assert len(explain(few, url=url)) == len(explain(many, url=url))
    assert cost(many, url) < 20 * cost(filled(1), url)


def test_only_a_few_exhausted_patterns_are_named(registry):
    for number in range(100):
        registry.get(re.compile(f"https://api(?#{number})"))
    for _ in range(100):
        assert explain(registry) is None
    assert explain(registry).count("was registered for 1 call") == 3


def test_a_long_exhausted_queue_is_cheap():
    registry = Registry()
    for _ in range(5_000):
        registry.get(USERS)
    for _ in range(5_000):
        match(registry, "GET", USERS)
    assert "it was registered for 5000 calls and answered 5000" in explain(registry)
    assert cost(registry, USERS) < 20 * cost(filled(1), USERS)


def test_the_text_is_short_even_for_long_urls(registry):
    registry.get(f"https://api.test/{'a' * 60_000}?{'b' * 60_000}=1")
    registry.post(re.compile("c" * 60_000))
    registry.add(USERS, "METHOD" * 10_000)
    text = explain(registry, url=f"https://api.test/{'a' * 60_000}?" + "&".join(f"k{n}={n}" for n in range(6_000)))
    assert "\n" not in text
    assert len(text) < 2_000
    assert "(differs in query (" in text
