"""Which registration answers: order, queues, methods and patterns."""

import re
from http import HTTPMethod

import pytest
import yarl
from memory_client import choose

from aiointercept_core import Registry

URL = "http://h.test/"


@pytest.fixture
def registry():
    return Registry()


def answers(registry, count, method="GET", url=URL):
    """Return which registrations answered the next requests."""
    return [choose(registry, method, url).response for _ in range(count)]


# How often.


@pytest.mark.parametrize(("repeat", "times"), [(False, 1), (0, 1), (1, 1), (2, 2), (7, 7)])
def test_a_finite_registration_answers_as_often_as_it_says(registry, repeat, times):
    one = registry.get(URL, repeat=repeat)
    assert one.remaining == times
    assert answers(registry, times + 2) == [one] * times + [None, None]
    assert one.call_count == times
    assert one.remaining == 0


def test_repeat_true_answers_for_ever(registry):
    one = registry.get(URL, repeat=True)
    assert answers(registry, 100) == [one] * 100
    assert one.call_count == 100
    assert one.remaining is None


def test_a_registration_counts_its_own_calls_only(registry):
    first, other = registry.get(URL), registry.get("http://other.test/", repeat=True)
    answers(registry, 3)
    assert (first.call_count, other.call_count) == (1, 0)


# Queues.


def test_registrations_for_one_url_are_used_in_order(registry):
    queue = [registry.get(URL), registry.get(URL, repeat=2), registry.get("HTTP://H.test:80")]
    assert answers(registry, 5) == [queue[0], queue[1], queue[1], queue[2], None]


def test_finite_ones_come_before_the_one_that_repeats_for_ever(registry):
    first, last = registry.get(URL), registry.get(URL, repeat=True)
    assert answers(registry, 4) == [first, last, last, last]


def test_a_later_repeat_true_replaces_an_earlier_one_and_nothing_else(registry):
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
def test_a_finite_one_after_repeat_true_is_refused_and_changes_nothing(registry, repeat):
    first, last = registry.get(URL), registry.get(URL, repeat=True)
    with pytest.raises(ValueError, match=r"end behind repeat=True.*GET http://h\.test/.*register it before"):
        registry.get(URL, repeat=repeat)
    assert registry.routes == [first, last]
    assert answers(registry, 3) == [first, last, last]


def test_a_used_up_queue_counts_as_empty(registry):
    registry.get(URL)
    assert answers(registry, 2)[1] is None
    again = registry.get(URL)
    assert answers(registry, 2) == [again, None]
    for_ever = registry.get(URL, repeat=True)
    assert answers(registry, 2) == [for_ever, for_ever]


def test_clear_empties_the_queues(registry):
    registry.get(URL, repeat=True)
    registry.get(re.compile("http:"), repeat=True)
    registry.clear()
    assert answers(registry, 1) == [None]
    one = registry.get(URL)
    assert answers(registry, 1) == [one]


# Methods.


@pytest.mark.parametrize("name", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_a_shortcut_registers_its_method(registry, name):
    one = getattr(registry, name)(URL, status=201)
    assert one.method == name.upper()
    assert choose(registry, "TRACE", URL).response is None
    assert choose(registry, name.upper(), URL).response is one


@pytest.mark.parametrize(
    "registered", ["PROPFIND", "propfind", "PropFind", HTTPMethod.GET, "M-SEARCH", "a!#$%&'*+.^_`|~"]
)
def test_a_method_is_any_token_in_any_case(registry, registered):
    one = registry.add(URL, registered, repeat=True)
    for asked in (registered, registered.lower(), registered.upper()):
        assert choose(registry, asked, URL).response is one


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
    one = registry.delete("/users", status=204)
    assert choose(registry, "DELETE", "http://h.test/users").response is one


def test_an_instance_may_replace_add(registry):
    seen = []
    add, registry.add = registry.add, lambda *args, **kwargs: seen.append((args, kwargs)) or add(*args, **kwargs)
    registry.patch(URL, status=202)
    assert seen == [((URL, "PATCH"), {"status": 202})]


# Patterns.


def test_exact_urls_are_asked_before_patterns(registry):
    pattern = registry.get(re.compile("http://h"), repeat=True)
    exact = registry.get(URL)
    assert answers(registry, 2) == [exact, pattern]


def test_patterns_are_asked_in_order(registry):
    first, second = registry.get(re.compile("http://h")), registry.get(re.compile(".*"))
    assert answers(registry, 3) == [first, second, None]


def test_patterns_with_the_same_text_are_one_queue(registry):
    first = registry.get(re.compile("http://h"))
    between = registry.get(re.compile("http://"))
    second = registry.get(re.compile("http://h"))
    assert answers(registry, 4) == [first, second, between, None]
    registry.get(re.compile("http://h"), repeat=True)
    with pytest.raises(ValueError, match=r"pattern 'http://h'"):
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
def test_a_pattern_is_matched_against_the_url_as_asked(registry, pattern, asked, matches):
    one = registry.get(re.compile(pattern), repeat=True)
    # Twice: what was found out about a URL is remembered.
    for _ in range(2):
        assert (choose(registry, "GET", asked).response is one) is matches


def test_a_pattern_registered_later_is_found_for_a_url_that_was_asked_before(registry):
    first = registry.get(re.compile("http://h"))
    assert answers(registry, 2) == [first, None]
    second = registry.get(re.compile("http://"))
    assert answers(registry, 2) == [second, None]


def test_a_pattern_is_for_its_method_only(registry):
    registry.post(re.compile("http://h"))
    assert answers(registry, 1) == [None]


def test_many_urls_on_one_pattern(registry):
    # More than are remembered.
    one = registry.get(re.compile(r"http://h\.test/\d+$"), repeat=True)
    for number in range(1100):
        assert choose(registry, "GET", f"http://h.test/{number}").response is one
        assert choose(registry, "GET", f"http://h.test/x{number}").response is None


# What a registry says of itself without answering.


def test_peek_and_matches_consume_nothing(registry):
    one = registry.get(URL)
    for _ in range(3):
        assert registry.peek("get", "http://h.test:80") is one
        assert registry.matches("GET", URL)
    assert answers(registry, 1) == [one]
    assert registry.peek("GET", URL) is None
    assert not registry.matches("GET", URL)
    assert registry.call_count == 1


@pytest.mark.parametrize(
    ("url", "claimed"),
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
def test_claims_an_origin_that_is_registered_and_a_url_that_a_pattern_matches(registry, url, claimed):
    registry.post(URL)
    choose(registry, "POST", URL)
    registry.delete(re.compile(r"http://pattern\.test/a"))
    assert registry.claims(url) is claimed
    assert registry.claims_origin(url) is (claimed and "pattern" not in url)
    registry.clear()
    assert not registry.claims(url)


def test_the_state_of_claims_is_another_whenever_one_may_be(registry):
    states = [registry.claims_state]
    for change in (lambda: registry.get(URL), lambda: registry.get("http://other.test/"), registry.clear):
        change()
        states.append(registry.claims_state)
    assert None not in states
    assert len({id(state) for state in states}) == len(states)
    # What answers or is used up claims what it did.
    registry.get(URL)
    state = registry.claims_state
    registry.get(URL)
    answers(registry, 2)
    assert registry.claims_state is state
    registry.get(re.compile("http:"))
    registry.get("http://other.test/")
    assert registry.claims_state is None
    registry.clear()
    assert registry.claims_state is not None


def test_registrations_are_listed_in_order(registry):
    listed = [
        registry.get(URL),
        registry.get(re.compile("http:")),
        registry.post(URL),
        registry.get(URL),
        registry.get(re.compile("http:")),
    ]
    answers(registry, 4)
    assert registry.routes == listed


def test_a_registration_names_itself(registry):
    exact, pattern = registry.get("HTTP://h.test", repeat=3), registry.put(re.compile(r"^http"), repeat=True)
    assert str(exact) == "GET http://h.test/"
    assert repr(exact) == "<Route GET http://h.test/ call_count=0 (3 left)>"
    assert str(pattern) == "PUT pattern '^http'"
    assert repr(pattern) == "<Route PUT pattern '^http' call_count=0 (for ever)>"
    assert (exact.exact, exact.url) == (True, yarl.URL("http://h.test/"))
    assert (pattern.exact, pattern.url) == (False, None)


def test_registrations_that_were_never_used_are_named(registry):
    registry.assert_all_called()
    registry.get(URL)
    registry.post(URL)
    registry.get("http://optional.test/", optional=True)
    answers(registry, 1)
    with pytest.raises(AssertionError, match=r"never used: POST http://h\.test/$"):
        registry.assert_all_called()
    answers(registry, 1, "POST")
    registry.assert_all_called()


# The rules of aioresponses.


def test_a_lenient_registry_has_one_order_for_urls_and_patterns():
    registry = Registry(lenient=True)
    order = [registry.get(re.compile("http://h")), registry.get(URL), registry.get(re.compile("http:"), repeat=True)]
    assert answers(registry, 4) == [*order, order[-1]]


def test_a_lenient_registry_keeps_the_first_that_repeats_for_ever():
    registry = Registry(lenient=True)
    first = registry.get(URL, repeat=True)
    registry.get(URL)
    registry.get(URL, repeat=True)
    assert answers(registry, 3) == [first] * 3
