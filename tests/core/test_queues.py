"""Which route answers: order, queues, methods and patterns."""

import re
from http import HTTPMethod

import pytest
import yarl
from memory_client import AIORESPONSES_RULES, make_request, match

from aiointercept_core import Registry

URL = "http://h.test/"
BEHIND_REPEAT = (
    r"^GET http://h\.test/ already has a reply with repeat=True, so this one would never be used: "
    r"register it before that one$"
)


@pytest.fixture
def registry():
    return Registry()


def answers(registry, count, method="GET", url=URL):
    """Return the routes that answered the next requests."""
    return [match(registry, method, url).route for _ in range(count)]


# Repetition.


@pytest.mark.parametrize(("repeat", "times"), [(False, 1), (0, 1), (1, 1), (2, 2), (7, 7)])
def test_a_route_answers_as_often_as_registered(registry, repeat, times):
    route = registry.get(URL, repeat=repeat)
    assert route.remaining == times
    assert answers(registry, times + 2) == [route] * times + [None, None]
    assert route.call_count == times
    assert route.remaining == 0


def test_repeat_true_answers_all_requests(registry):
    route = registry.get(URL, repeat=True)
    assert answers(registry, 100) == [route] * 100
    assert route.call_count == 100
    assert route.remaining is None


def test_a_route_counts_its_own_calls(registry):
    first, other = registry.get(URL), registry.get("http://other.test/", repeat=True)
    answers(registry, 3)
    assert (first.call_count, other.call_count) == (1, 0)


# Queues.


def test_routes_for_one_url_are_used_in_order(registry):
    queue = [registry.get(URL), registry.get(URL, repeat=2), registry.get("HTTP://H.test:80")]
    assert answers(registry, 5) == [queue[0], queue[1], queue[1], queue[2], None]


def test_repeat_true_comes_after_the_routes_before_it(registry):
    first, last = registry.get(URL), registry.get(URL, repeat=True)
    assert answers(registry, 4) == [first, last, last, last]


def test_repeat_true_replaces_only_an_earlier_repeat_true(registry):
    finite = [registry.get(URL), registry.get(URL, repeat=2)]
    old, new = registry.get(URL, repeat=True), registry.get(URL, repeat=True)
    assert answers(registry, 5) == [finite[0], finite[1], finite[1], new, new]
    assert old.call_count == 0


def test_a_repeat_true_that_is_in_use_can_be_replaced(registry):
    old = registry.get(URL, repeat=True)
    assert answers(registry, 2) == [old, old]
    new = registry.get(URL, repeat=True)
    assert answers(registry, 2) == [new, new]


@pytest.mark.parametrize("repeat", [False, 0, 1, 5])
def test_a_route_behind_repeat_true_is_refused_and_changes_nothing(registry, repeat):
    first, last = registry.get(URL), registry.get(URL, repeat=True)
    with pytest.raises(ValueError, match=BEHIND_REPEAT):
        registry.get(URL, repeat=repeat)
    assert registry.routes == [first, last]
    assert answers(registry, 3) == [first, last, last]


def test_an_exhausted_queue_counts_as_empty(registry):
    registry.get(URL)
    assert answers(registry, 2)[1] is None
    again = registry.get(URL)
    assert answers(registry, 2) == [again, None]
    repeated = registry.get(URL, repeat=True)
    assert answers(registry, 2) == [repeated, repeated]


def test_clear_empties_the_queues(registry):
    registry.get(URL, repeat=True)
    registry.get(re.compile("http:"), repeat=True)
    registry.clear()
    assert answers(registry, 1) == [None]
    route = registry.get(URL)
    assert answers(registry, 1) == [route]


# Methods.


@pytest.mark.parametrize("name", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_a_shortcut_registers_its_method(registry, name):
    route = getattr(registry, name)(URL, status=201)
    assert route.method == name.upper()
    assert match(registry, "TRACE", URL).route is None
    assert match(registry, name.upper(), URL).route is route


@pytest.mark.parametrize(
    "registered", ["PROPFIND", "propfind", "PropFind", HTTPMethod.GET, "M-SEARCH", "a!#$%&'*+.^_`|~"]
)
def test_a_method_is_any_token_in_any_case(registry, registered):
    route = registry.add(URL, registered, repeat=True)
    for asked in (registered, registered.lower(), registered.upper()):
        assert match(registry, asked, URL).route is route


def test_methods_have_queues_of_their_own(registry):
    get, post = registry.get(URL), registry.post(URL)
    assert answers(registry, 2, "POST") == [post, None]
    assert answers(registry, 2) == [get, None]


def test_the_method_is_get_unless_given(registry):
    assert registry.add(URL).method == "GET"


def test_shortcuts_go_through_add():
    class Prefixed(Registry):
        def add(self, url, *args, **kwargs):
            return super().add(f"http://h.test{url}", *args, **kwargs)

    registry = Prefixed()
    route = registry.delete("/users", status=204)
    assert match(registry, "DELETE", "http://h.test/users").route is route


def test_an_instance_may_replace_add(registry):
    seen = []
    add, registry.add = registry.add, lambda *args, **kwargs: seen.append((args, kwargs)) or add(*args, **kwargs)
    registry.patch(URL, status=202)
    assert seen == [((URL,), {"method": "PATCH", "status": 202})]


# Patterns.


def test_exact_urls_are_used_before_patterns(registry):
    pattern = registry.get(re.compile("http://h"), repeat=True)
    exact = registry.get(URL)
    assert answers(registry, 2) == [exact, pattern]


def test_patterns_are_used_in_order(registry):
    first, second = registry.get(re.compile("http://h")), registry.get(re.compile(".*"))
    assert answers(registry, 3) == [first, second, None]


def test_patterns_answer_in_the_order_of_registration(registry):
    first = registry.get(re.compile("http://h"))
    between = registry.get(re.compile("http://"))
    second = registry.get(re.compile("http://h"))
    assert answers(registry, 4) == [first, between, second, None]
    registry.get(re.compile("http://h"), repeat=True)
    with pytest.raises(ValueError, match=r"GET pattern 'http://h' already has a reply with repeat=True"):
        registry.get(re.compile("http://h"))


def test_patterns_with_other_flags_are_other_patterns(registry):
    strict = registry.get(re.compile("http://h.test/A"))
    relaxed = registry.get(re.compile("http://h.test/A", re.IGNORECASE))
    assert answers(registry, 2, url="http://h.test/a") == [relaxed, None]
    assert answers(registry, 2, url="http://h.test/A") == [strict, None]


@pytest.mark.parametrize(
    ("pattern", "asked", "matches"),
    [
        (r"^https://", "http://h.test/", False),
        (r"https?://h\.test/users/\d+$", "https://h.test/users/12", True),
        (r"https?://h\.test/users/\d+$", "https://h.test/users/12?page=1", False),
        (r"https://h\.test/users/\d+", "https://h.test/users/12?page=1", True),
        (r"h\.test", "http://h.test/", False),
        (r".*\?b=2&a=1$", "http://h.test/?b=2&a=1", True),
        (r".*\?a=1&b=2$", "http://h.test/?b=2&a=1", False),
        (r"http://h\.test:8080/", "http://h.test:8080/", True),
        (r"http://h\.test/a%2Fb$", "http://h.test/a%2Fb", True),
        (r"http://xn--bcher-kva\.test/%C3%BC$", "http://bücher.test/ü", True),
        (r"http://\[::1\]/$", "http://[::1]/", True),
    ],
)
def test_a_pattern_is_matched_against_the_url_as_sent(registry, pattern, asked, matches):
    route = registry.get(re.compile(pattern), repeat=True)
    assert (match(registry, "GET", asked).route is route) is matches


def test_a_pattern_may_be_registered_after_a_request_for_its_url(registry):
    first = registry.get(re.compile("http://h"))
    assert answers(registry, 2) == [first, None]
    second = registry.get(re.compile("http://"))
    assert answers(registry, 2) == [second, None]


def test_a_pattern_is_for_its_method_only(registry):
    registry.post(re.compile("http://h"))
    assert answers(registry, 1) == [None]


def test_matches_head_consumes_nothing(registry):
    route = registry.get(URL)
    for _ in range(3):
        assert registry.matches_head(make_request("get", "http://h.test:80"))
    assert answers(registry, 1) == [route]
    assert not registry.matches_head(make_request("GET", URL))
    assert registry.call_count == 1


@pytest.mark.parametrize(
    ("url", "covered"),
    [
        ("http://h.test/", True),
        ("http://h.test/other?a=1", True),
        ("http://H.test.:80/", True),
        ("https://h.test/", False),
        ("http://h.test:81/", False),
        ("http://www.h.test/", False),
        ("http://pattern.test/a", True),
        ("http://pattern.test/b", False),
    ],
)
def test_registered_origins_and_urls_that_match_a_pattern_are_covered(registry, url, covered):
    registry.post(URL)
    match(registry, "POST", URL)
    registry.delete(re.compile(r"http://pattern\.test/a"))
    assert registry.covers(url) is covered
    assert registry.covers_origin(url) is (covered and "pattern" not in url)
    registry.clear()
    assert not registry.covers(url)


def test_routes_are_listed_in_order(registry):
    listed = [
        registry.get(URL),
        registry.get(re.compile("http:")),
        registry.post(URL),
        registry.get(URL),
        registry.get(re.compile("http:")),
    ]
    answers(registry, 4)
    assert registry.routes == listed


def test_the_text_of_a_route(registry):
    exact, pattern = registry.get("HTTP://h.test", repeat=3), registry.put(re.compile(r"^http"), repeat=True)
    assert str(exact) == "GET http://h.test/"
    assert repr(exact) == "<Route GET http://h.test/ call_count=0 (3 remaining)>"
    assert str(pattern) == "PUT pattern '^http'"
    assert repr(pattern) == "<Route PUT pattern '^http' call_count=0 (no limit)>"
    assert exact.url == yarl.URL("http://h.test/")
    assert pattern.url is None


def test_the_public_attributes_of_a_route(registry):
    route = registry.get(URL)
    assert [name for name in dir(route) if not name.startswith("_")] == [
        *("call_count", "method", "optional", "remaining", "requests", "url")
    ]


def test_routes_that_were_never_used_are_named(registry):
    registry.assert_all_called()
    registry.get(URL)
    registry.post(URL)
    registry.get("http://optional.test/", optional=True)
    answers(registry, 1)
    with pytest.raises(AssertionError, match=r"^1 route was never used: POST http://h\.test/$"):
        registry.assert_all_called()
    answers(registry, 1, "POST")
    registry.assert_all_called()
    registry.put(URL)
    registry.get(re.compile("http://other"))
    with pytest.raises(AssertionError, match=r"^2 routes were never used: PUT http://h\.test/; GET pattern 'http://o"):
        registry.assert_all_called()


# The rules of aioresponses.


def test_urls_and_patterns_can_be_used_in_the_order_of_registration():
    registry = Registry(AIORESPONSES_RULES)
    order = [registry.get(re.compile("http://h")), registry.get(URL), registry.get(re.compile("http:"), repeat=True)]
    assert answers(registry, 4) == [*order, order[-1]]


def test_routes_behind_repeat_true_can_be_accepted_and_are_not_used():
    registry = Registry(AIORESPONSES_RULES)
    first = registry.get(URL, repeat=True)
    registry.get(URL)
    registry.get(URL, repeat=True)
    assert answers(registry, 3) == [first] * 3
