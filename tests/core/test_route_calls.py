"""The calls of one route, and assertions on several calls."""

import re
from unittest.mock import ANY

import pytest
from memory_client import match

from aiointercept_core import Registry

A, B = "https://api.test/a", "https://api.test/b"


@pytest.fixture
def registry():
    return Registry()


def test_a_route_has_the_requests_that_it_answered_in_order(registry):
    first, second = registry.post(A, repeat=2), registry.post(A, match_json=1)
    requests = [match(registry, "POST", A, body=body).request for body in (b"0", b"1", b"2", b"3")]
    assert (first.requests, second.requests) == ([requests[0], requests[2]], [requests[1]])


def test_a_removed_route_answers_no_more(registry):
    route = registry.get(A, repeat=True)
    request = match(registry, "GET", A).request
    registry.remove(route)
    assert match(registry, "GET", A).unmatched
    assert (route.requests, registry.routes, registry.call_count) == ([request], [], 2)
    assert registry.covers(request.url)
    registry.remove(route)
    registry.get(A)
    assert not match(registry, "GET", A).unmatched


def test_a_route_of_another_registry_is_not_removed(registry):
    route = registry.get(A)
    with pytest.raises(ValueError, match=rf"^GET {A} is not a route of this mock: call remove\(\) on its own mock$"):
        Registry().remove(route)
    assert match(registry, "GET", A).route is route


def test_a_route_that_was_replaced_answers_no_more_and_may_be_removed(registry):
    replaced, route = [registry.get(A, repeat=True) for _ in range(2)]
    registry.remove(replaced)
    assert (replaced.remaining, registry.routes) == (0, [route])


@pytest.mark.parametrize("repeat", [1, True])
def test_a_route_that_was_cleared_answers_no_more_and_may_be_removed(registry, repeat):
    route = registry.get(A, repeat=repeat)
    registry.clear()
    assert route.remaining == 0
    registry.remove(route)


@pytest.mark.parametrize("url", ["https://api.test/t{}", A, re.compile("https://api.test/t")], ids=str)
def test_a_removed_route_is_no_longer_the_nearest(registry, url):
    registry.get("https://api.test/users")
    registry.get(re.compile("https://api.test/users/"))
    urls = [
        url.format(number) if isinstance(url, str) else re.compile(f"{url.pattern}{number}") for number in range(30)
    ]
    for route in [registry.post(each, repeat=True) for each in urls]:
        registry.remove(route)
    explanation = match(registry, "POST", "https://api.test/t1").explanation
    assert explanation.partition("; nearest: ")[2] == (
        "GET https://api.test/users (differs in method, path); "
        "GET pattern 'https://api.test/users/' (differs in method, URL)"
    )


def test_remove_takes_a_route(registry):
    with pytest.raises(TypeError, match=r"remove\(\) takes a route"):
        registry.remove(A)


def test_clear_requests_keeps_the_routes_and_gives_no_reply_back(registry):
    route = registry.get(A, repeat=2)
    match(registry, "GET", A)
    registry.clear_requests()
    assert (registry.call_count, registry.last_request, route.requests, route.call_count) == (0, None, [], 0)
    assert [match(registry, "GET", A).unmatched for _ in range(2)] == [False, True]


def test_a_route_that_was_used_before_clear_requests_was_used(registry):
    for url, repeat in ((A, True), (B, 1), ("https://api.test/c", 2), ("https://api.test/d", True)):
        registry.get(url, repeat=repeat)
    for url in (A, B, "https://api.test/c"):
        match(registry, "GET", url)
    registry.clear_requests()
    with pytest.raises(AssertionError, match=r"^1 route was never used: GET https://api\.test/d$"):
        registry.assert_all_called()


def test_assert_any_call(registry):
    for body in (b'{"n": 1, "m": 1}', b'{"n": 2, "m": 2}'):
        match(registry, "POST", A, body=body, headers={"X-A": "1"})
    registry.assert_any_call(A, "POST", json={"n": 1, "m": 1}, headers={"x-a": "1"})
    with pytest.raises(AssertionError, match="the nearest of 2: expected headers") as caught:
        registry.assert_any_call(A, "POST", json={"n": 1, "m": 1}, headers={"x-a": "2"})
    assert caught.value.__notes__ == ["headers['x-a']: expected '2', got '1'"]
    with pytest.raises(AssertionError, match="nearest: POST"):
        registry.assert_any_call(B, "POST")


@pytest.mark.parametrize(
    "last", [b'{"a": 0, "b": 0, "c": 0}', b'{"d": 1}', b"[]", b"1", b"no json", b"", None], ids=str
)
def test_the_nearest_call_is_the_one_that_differs_in_the_fewest_places(registry, last):
    for body in (b'{"a": 1, "b": 0, "c": 0}', b'{"a": 1, "b": 2, "c": 0}', last):
        match(registry, "POST", A, body=body)
    with pytest.raises(AssertionError, match="the nearest of 3: expected json") as caught:
        registry.assert_any_call(A, "POST", json={"a": 1, "b": 2, "c": 3})
    assert caught.value.__notes__ == ["json['c']: expected 3, got 0"]


def test_of_calls_that_differ_as_much_the_most_recent_one_is_the_nearest(registry):
    for body in (b"[1, 2]", b"[1, 3]"):
        match(registry, "POST", A, body=body)
    with pytest.raises(AssertionError, match=r"got \[1, 3\]"):
        registry.assert_any_call(A, "POST", json=[1, 4])


@pytest.mark.parametrize("body", [None, b"", b"no json"])
def test_any_holds_for_every_request(registry, body):
    match(registry, "POST", A, body=body)
    registry.assert_any_call(A, "POST", data=ANY, json=ANY, headers=ANY)
    registry.assert_called_with(A, "POST", data=ANY, json=ANY, headers=ANY)


def test_a_long_order_says_how_many_requests_are_left_out(registry):
    for number in range(60):
        match(registry, "GET", f"{A}/{number}")
    with pytest.raises(AssertionError) as caught:
        registry.assert_has_calls([("GET", f"{A}/3"), ("GET", f"{A}/2")])
    assert caught.value.__notes__[0].splitlines()[-2:] == [f"GET {A}/49", "... and 10 more"]


def test_the_nearest_query_has_the_most_pairs_in_common(registry):
    for query in ("a=1&b=2&c=3", *(f"a={number}&b=0&c=0" for number in range(5, 9))):
        match(registry, "GET", f"{A}?{query}")
    with pytest.raises(AssertionError, match=r"nearest: GET \S+\?a=1&b=2&c=3 \(differs in query \(b\)\)"):
        registry.assert_any_call(A, params={"a": 1, "b": 9, "c": 3})


def test_assert_has_calls(registry):
    for url in (A, B, A):
        match(registry, "GET", url)
    registry.assert_has_calls([("GET", A), ("GET", A)])
    registry.assert_has_calls([("GET", B), ("GET", A), ("GET", A)], any_order=True)
    with pytest.raises(AssertionError, match=f"expected 2 requests in this order, GET {B} is missing") as caught:
        registry.assert_has_calls([("GET", B), ("GET", B)])
    assert caught.value.__notes__ == [f"received, in this order:\nGET {A}\nGET {B}\nGET {A}"]
    with pytest.raises(AssertionError, match=f"expected 2 requests, GET {B} is missing"):
        registry.assert_has_calls([("GET", B), ("GET", B)], any_order=True)
    with pytest.raises(ValueError, match="method must be an HTTP method"):
        registry.assert_has_calls([(A, "GET")])


@pytest.mark.parametrize(
    ("calls", "wrong"),
    [(None, "None"), (A, repr(A)), (b"GET", "b'GET'"), (5, "5"), (("GET", A), "'GET'"), ([None], "None")],
)
def test_calls_that_are_no_pairs(registry, calls, wrong):
    with pytest.raises(TypeError) as caught:
        registry.assert_has_calls(calls)
    assert str(caught.value) == f"calls must be pairs of a method and a URL, got {wrong}; write [('GET', url)]"
