"""The `assert_*` methods: which requests they accept, and their messages."""

import json
import re
import time
from unittest.mock import ANY

import pytest
from memory_client import match
from multidict import CIMultiDict, MultiDict
from yarl import URL

from aiointercept_core import CallAssertions, Journal, PlainRequest, Registry

ORDERS = "https://api.test/orders"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def registry():
    return Registry()


def received(*requests):
    """Return a registry that received requests, each `(method, url)`, optionally with headers and a body."""
    registry = Registry()
    for method, url, *rest in requests:
        headers, body = (*rest, None, None)[:2]
        match(registry, method, url, headers=headers, body=body)
    return registry


def posted(value=None, *, body=None, headers=JSON):
    return received(("POST", ORDERS, headers, json.dumps(value).encode() if body is None else body))


def failure(check, *args, **kwargs):
    """Return the message and the note of an assertion that fails."""
    with pytest.raises(AssertionError) as caught:
        check(*args, **kwargs)
    line = str(caught.value)
    note = "\n".join(getattr(caught.value, "__notes__", []))
    assert "\n" not in line
    assert not any(place in line for place in note.splitlines())
    assert len(line) < 1_500
    assert len(note) < 10_000
    return line, note


# Number of requests.


def test_counting_calls(registry):
    registry.assert_not_called()
    assert failure(registry.assert_called) == ("expected at least one request, got none", "")
    assert failure(registry.assert_called_once) == ("expected exactly one request, got none", "")
    match(registry, "get", ORDERS)
    registry.assert_called()
    registry.assert_called_once()
    assert failure(registry.assert_not_called) == (f"expected no request, got 1: GET {ORDERS}", "")
    match(registry, "POST", ORDERS)
    registry.assert_called()
    both = f"2: GET {ORDERS}; POST {ORDERS}"
    assert failure(registry.assert_called_once) == (f"expected exactly one request, got {both}", "")
    assert failure(registry.assert_not_called) == (f"expected no request, got {both}", "")
    for _ in range(5):
        match(registry, "PUT", ORDERS)
    assert failure(registry.assert_not_called)[0] == (
        f"expected no request, got 7: GET {ORDERS}; POST {ORDERS}; PUT {ORDERS}; and 4 more"
    )


def test_any_class_with_a_journal_can_have_the_assertions():
    class Other(CallAssertions):
        journal = Journal()

    Other().assert_not_called()
    assert Other().requests == {}


# URLs.


@pytest.mark.parametrize("method", ["POST", "post", "Post"])
@pytest.mark.parametrize(
    ("url", "params"),
    [
        (f"{ORDERS}?a=1&b=2&b=3", None),
        (URL(f"{ORDERS}?b=3&a=1&b=2"), {}),
        ("HTTPS://API.test.:443/orders?b=3&b=2&a=1#top", None),
        (ORDERS, {"a": 1, "b": ["2", "3"]}),
        (ORDERS, MultiDict([("b", "2"), ("a", "1"), ("b", "3")])),
        (ORDERS, [("b", 2), ("b", "3"), ("a", "1")]),
        (ORDERS, "b=2&b=3&a=1"),
        (URL(f"{ORDERS}?b=2"), {"a": "1", "b": "3"}),
    ],
)
def test_a_request_is_found(method, url, params):
    registry = received(("POST", f"{ORDERS}?a=1&b=2&b=3"), ("GET", ORDERS))
    registry.assert_any_call(url, method, params)
    registry.assert_any_call(url, method=method, params=params)
    registry.assert_called_with(url, method, params)
    with pytest.raises(AssertionError, match="exactly one request, got 2"):
        registry.assert_called_once_with(url, method, params)


def test_the_method_is_get_unless_given():
    registry = received(("GET", ORDERS))
    registry.assert_any_call(ORDERS)
    registry.assert_called_with(ORDERS)
    registry.assert_called_once_with(ORDERS)


def test_a_request_that_was_not_received():
    assert failure(Registry().assert_any_call, ORDERS) == (f"expected a request GET {ORDERS}, got none", "")
    registry = received(("POST", ORDERS), ("GET", f"{ORDERS}/1"), ("GET", f"{ORDERS}?a=1"), ("PUT", "http://x.test/"))
    line, note = failure(registry.assert_any_call, ORDERS, "delete", {"a": 1})
    assert line == (
        f"expected a request DELETE {ORDERS}?a=1, got 4 others; nearest: "
        f"GET {ORDERS}?a=1 (differs in method); POST {ORDERS} (differs in method, query (a)); "
        f"GET {ORDERS}/1 (differs in method, path, query (a))"
    )
    assert note == ""
    for check in (registry.assert_called_with, registry.assert_any_call):
        assert failure(check, ORDERS, "DELETE", {"a": 1})[0] == line
    one = received(("POST", ORDERS))
    assert failure(one.assert_called_once_with, ORDERS)[0] == (
        f"expected a request GET {ORDERS}, got 1 other; nearest: POST {ORDERS} (differs in method)"
    )


def test_an_old_request_for_the_same_path_is_among_the_nearest():
    registry = received(("GET", f"{ORDERS}?page=1"), *(("GET", f"https://api.test/{n}") for n in range(500)))
    assert f"; nearest: GET {ORDERS}?page=1 (differs in query (page))" in failure(registry.assert_any_call, ORDERS)[0]


def test_the_most_recent_request_is_compared():
    registry = received(("POST", ORDERS, {}, b"first"), ("POST", ORDERS, {}, b"second"), ("GET", ORDERS))
    registry.assert_called_with(ORDERS, "POST", data=b"second")
    assert failure(registry.assert_called_with, ORDERS, "POST", data=b"first") == (
        f"POST {ORDERS}, the last of 2: expected data b'first', got b'second'",
        "",
    )


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        (None, TypeError, r"url must be a str or a yarl\.URL, got None"),
        (b"http://h.test/", TypeError, r"url must be a str or a yarl\.URL, got b'http"),
        (re.compile("http://h"), TypeError, r"got re\.compile\('http://h'\); for a pattern, look in m\.requests"),
        ("/orders", ValueError, "url must be an absolute URL .*got '/orders'; write it in full"),
    ],
)
def test_a_url_that_no_request_can_have(registry, url, error, message):
    for check in (registry.assert_any_call, registry.assert_called_with):
        with pytest.raises(error, match=message):
            check(url)
    with pytest.raises(error, match=message):
        registry.assert_has_calls([("GET", url)])


@pytest.mark.parametrize("method", [None, "GE T"])
def test_a_method_that_no_request_can_have(registry, method):
    with pytest.raises(ValueError, match="method must be an HTTP method"):
        registry.assert_called_with(ORDERS, method)


# JSON.

VALUE = {"id": 1, "tags": ["a", "b"], "nested": {"deep": [{"x": None}]}}


@pytest.mark.parametrize(
    "expected",
    [
        VALUE,
        ANY,
        {"id": ANY, "tags": ANY, "nested": ANY},
        {"id": 1, "tags": ["a", ANY], "nested": {"deep": [{"x": ANY}]}},
    ],
)
def test_json_as_expected(expected):
    posted(VALUE).assert_called_with(ORDERS, "POST", json=expected)
    posted(VALUE).assert_called_once_with(ORDERS, "POST", json=expected)


@pytest.mark.parametrize("value", [0, False, "", [], {}, 1.5, "text"])
def test_json_of_any_kind(value):
    posted(value).assert_called_with(ORDERS, "POST", json=value)
    failure(posted("other").assert_called_with, ORDERS, "POST", json=value)


def test_none_is_not_compared():
    posted(VALUE).assert_called_with(ORDERS, "POST", json=None, data=None, headers=None, params=None)


@pytest.mark.parametrize(
    ("expected", "notes"),
    [
        ({**VALUE, "id": 2}, ["json['id']: expected 2, got 1"]),
        ({**VALUE, "id": "1"}, ["json['id']: expected '1', got 1"]),
        ({**VALUE, "tags": ["a", "c"]}, ["json['tags'][1]: expected 'c', got 'b'"]),
        (
            {**VALUE, "tags": ["a"]},
            ["json['tags']: expected 1 item, got 2", "json['tags'][1]: 'b' is unexpected"],
        ),
        ({**VALUE, "tags": {}}, ["json['tags']: expected {}, got ['a', 'b']"]),
        ({**VALUE, "tags": ("a", "b")}, ["json['tags']: expected ('a', 'b'), got ['a', 'b']"]),
        ({**VALUE, "more": None}, ["json['more']: None is missing"]),
        ({"id": ANY, "tags": ANY}, ["json['nested']: {'deep': [{'x': None}]} is unexpected"]),
        ({**VALUE, "nested": {"deep": [{"x": 0}]}}, ["json['nested']['deep'][0]['x']: expected 0, got None"]),
        (
            {"id": 3, "tags": [ANY, "c"], "nested": ANY},
            ["json['id']: expected 3, got 1", "json['tags'][1]: expected 'c', got 'b'"],
        ),
    ],
)
def test_json_that_differs(expected, notes):
    line, note = failure(posted(VALUE).assert_called_with, ORDERS, "POST", json=expected)
    assert note.split("\n") == notes
    assert line.startswith(f"POST {ORDERS}: expected json ")
    assert line.endswith(", got {'id': 1, 'nested': {'deep': [{'x': None}]}, 'tags': ['a', 'b']}")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{no json", "a body that is not JSON: b'{no json'"),
        (b"[" * 50_000, "a body that is not JSON: b'[[["),
        (b"\xff\xfe\xfd", r"a body that is not JSON: b'\xff\xfe\xfd'"),
    ],
)
@pytest.mark.parametrize("expected", [VALUE, [ANY], "no body"])
def test_a_body_that_is_not_json(body, words, expected):
    registry = received(("POST", ORDERS, JSON, body))
    registry.assert_called_with(ORDERS, "POST", json=ANY)
    line, note = failure(registry.assert_called_with, ORDERS, "POST", json=expected)
    assert words in line
    assert note == ""


@pytest.mark.parametrize("body", [None, b""])
def test_json_of_a_request_without_a_body(body):
    registry = received(("POST", ORDERS, JSON, body))
    registry.assert_called_with(ORDERS, "POST", json=ANY)
    for expected in (VALUE, {"id": ANY}, "no body", [ANY]):
        line, note = failure(registry.assert_called_with, ORDERS, "POST", json=expected)
        assert line.endswith(", got no body")
        assert note == ""


# Data.


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"text", b"text"),
        (b"text", "text"),
        (b"text", bytearray(b"text")),
        ("ü".encode(), "ü"),
        (b"\xff", b"\xff"),
        (b"text", ANY),
        (None, ANY),
        (b"", b""),
        (None, b""),
        (None, ""),
    ],
)
def test_data_as_expected(body, expected):
    received(("POST", ORDERS, {}, body)).assert_called_once_with(ORDERS, "POST", data=expected)


@pytest.mark.parametrize(
    ("body", "expected", "line"),
    [
        (b"text", b"test", "expected data b'test', got b'text'"),
        (b"text", "test", "expected data 'test', got 'text'"),
        (b"\xff", "ü", r"expected data 'ü', got b'\xff'"),
        (None, "text", "expected data 'text', got no body"),
        (None, {"a": "1"}, "expected data {'a': '1'}, got no body"),
        (None, {"a": ANY}, "expected data {'a': <ANY>}, got no body"),
        (b"", {}, "expected data {}, got a body without a content type, which is not a form"),
        (b"text", 5, "expected data 5, got b'text'"),
    ],
)
def test_data_that_differs(body, expected, line):
    registry = received(("POST", ORDERS, {}, body))
    assert failure(registry.assert_called_with, ORDERS, "POST", data=expected) == (f"POST {ORDERS}: {line}", "")


# Headers.

SENT = CIMultiDict([("Host", "api.test"), ("X-Many", "1"), ("X-Many", "2"), ("x-low", "3")])


@pytest.mark.parametrize(
    ("expected", "strict"),
    [
        ({}, False),
        ({"Host": "api.test"}, False),
        ({"host": "api.test", "X-LOW": ANY}, False),
        ({"X-Many": "1"}, False),
        ({"X-Many": "2"}, False),
        ({"X-Many": ["1", "2"]}, False),
        ({"X-Many": ("2", "1")}, False),
        ({"X-Many": [ANY, "1"]}, False),
        (MultiDict([("X-Many", "1"), ("X-Many", "2")]), False),
        (SENT, True),
        ({"host": ANY, "x-many": ["1", "2"], "X-Low": "3"}, True),
        (ANY, False),
        (ANY, True),
    ],
)
def test_headers_as_expected(expected, strict):
    registry = received(("GET", ORDERS, SENT))
    registry.assert_called_with(ORDERS, headers=expected, strict_headers=strict)
    registry.assert_called_once_with(ORDERS, headers=expected, strict_headers=strict)


@pytest.mark.parametrize(
    ("expected", "strict", "notes"),
    [
        ({"HOST": "other"}, False, ["headers['HOST']: expected 'other', got 'api.test'"]),
        ({"X-None": ANY}, False, ["headers['X-None']: <ANY> is missing"]),
        ({"X-Many": "3"}, False, ["headers['X-Many']: expected '3', got ['1', '2']"]),
        ({"X-Many": ["1", "3"]}, False, ["headers['X-Many'][1]: expected '3', got '2'"]),
        ({"Host": "api.test", "X-Many": "2", "x-low": "3"}, True, ["headers['X-Many']: expected '2', got ['1', '2']"]),
        ({"x-many": ["1", "2"], "x-low": "3"}, True, ["headers['Host']: 'api.test' is unexpected"]),
        (
            {"x-low": "4", "Y": ""},
            False,
            ["headers['x-low']: expected '4', got '3'", "headers['Y']: '' is missing"],
        ),
    ],
)
def test_headers_that_differ(expected, strict, notes):
    registry = received(("GET", ORDERS, SENT))
    line, note = failure(registry.assert_called_with, ORDERS, headers=expected, strict_headers=strict)
    assert note.split("\n") == notes
    assert line.startswith(f"GET {ORDERS}: expected headers {{")


def test_missing_headers_are_named_in_one_line():
    registry = received(("GET", ORDERS, {"Accept": "*/*"}))
    assert failure(registry.assert_called_with, ORDERS, headers={"accept": "a/b", "X-Key": "k"}) == (
        f"GET {ORDERS}: expected headers {{'X-Key': 'k', 'accept': 'a/b'}}, got {{'accept': '*/*'}}",
        "headers['accept']: expected 'a/b', got '*/*'\nheaders['X-Key']: 'k' is missing",
    )


# Size and cost are bounded.


def quickly(check, *args, **kwargs):
    """Return the message and the note of an assertion that fails, and check that it takes some 0.1 s."""
    start = time.perf_counter()
    said = failure(check, *args, **kwargs)
    assert time.perf_counter() - start < 10
    return said


def test_a_large_body():
    body = b"a" * 10_000_000
    changed = b"a" * 5_000_000 + b"b" + b"a" * 4_999_999
    registry = posted(body=body)
    registry.assert_called_with(ORDERS, "POST", data=body)
    registry.assert_called_with(ORDERS, "POST", data=body.decode())
    for expected, mark in ((changed, "b"), (changed.decode(), "")):
        line, note = quickly(registry.assert_called_with, ORDERS, "POST", data=expected)
        before, after = "a" * 30, "a" * 29
        assert line == (
            f"POST {ORDERS}: data: differs at index 5000000, expected ...{mark}'{before}b{after}'..., "
            f"got ...{mark}'{before}a{after}'..."
        )
        assert note == ""
    line, _ = quickly(registry.assert_called_with, ORDERS, "POST", data=body[:-1])
    assert line.startswith(f"POST {ORDERS}: data: differs at index 9999999, expected ...b'aaa")
    assert line.endswith("aaa', expected length 9999999, got 10000000")


def test_a_large_json_list():
    value = list(range(100_000))
    registry = posted(value)
    registry.assert_called_with(ORDERS, "POST", json=value)
    changed = [*value[:50_000], {"here": 1}, *value[50_001:]]
    assert quickly(registry.assert_called_with, ORDERS, "POST", json=changed) == (
        f"POST {ORDERS}: json[50000]: expected {{'here': 1}}, got 50000",
        "",
    )
    line, note = quickly(registry.assert_called_with, ORDERS, "POST", json=[-1, *value])
    assert line == f"POST {ORDERS}: json: expected 100001 items, got 100000"
    assert note.split("\n")[::9] == ["json[0]: expected -1, got 0", "... and more"]


def test_a_large_json_object():
    value = {f"key{number}": {"n": number} for number in range(30_000)}
    registry = posted(value)
    line, _ = quickly(registry.assert_called_with, ORDERS, "POST", json={**value, "key29999": {"n": 0}})
    assert line == f"POST {ORDERS}: json['key29999']['n']: expected 0, got 29999"
    line, note = quickly(registry.assert_called_with, ORDERS, "POST", json={"other": 1})
    assert line == f"POST {ORDERS}: json['other']: 1 is missing"
    assert note.split("\n")[0] == "json['key0']: {'n': 0} is unexpected"


def test_deep_and_wide_values():
    deep = wide = 1
    for _ in range(300):
        deep = {"k" * 1000: [deep]}
    for _ in range(6):
        wide = [wide] * 8
    registry = posted([deep, wide])
    quickly(registry.assert_called_with, ORDERS, "POST", json=[deep, 0])
    quickly(registry.assert_called_with, ORDERS, "POST", json=[0, wide])
    other = json.loads(json.dumps(deep).replace("1", "2"))
    line, note = quickly(registry.assert_called_with, ORDERS, "POST", json=[other, wide])
    assert "json[0]['kkk" in line
    assert note == ""


def test_differences_are_named_down_to_a_limited_depth():
    value, other = 1, 2
    for _ in range(60):
        value, other = {"a": value}, {"a": other}
    line, _ = failure(posted(value).assert_called_with, ORDERS, "POST", json=other)
    assert line == f"POST {ORDERS}: json" + "['a']" * 20 + ": expected {0}, got {0}".format(
        "{'a': {'a': {'a': {'a': {...}}}}}"
    )


def test_large_keys_headers_and_urls():
    big = "x" * 1_000_000
    registry = received(("POST", f"{ORDERS}?{big}", {"X-Big": big}, json.dumps({big: big}).encode()))
    url = f"{ORDERS}?{big}"
    quickly(registry.assert_called_with, url, "POST", json={big: big[1:]})
    quickly(registry.assert_called_with, url, "POST", json={})
    quickly(registry.assert_called_with, url, "POST", headers={"X-Big": big[1:]})
    quickly(registry.assert_called_with, url, "POST", headers={big: ""})
    quickly(registry.assert_any_call, f"{ORDERS}?{big}x", "POST")
    quickly(registry.assert_not_called)
    quickly(registry.assert_any_call, ORDERS, "M" * 100_000)


@pytest.mark.long
def test_a_missing_request_among_ten_thousand_is_reported_quickly():
    registry = Registry()
    for number in range(10_000):
        registry.match(PlainRequest("GET", URL(f"https://api.test/orders/{number}?page={number}", encoded=True)))

    def cost():
        start = time.perf_counter()
        failure(registry.assert_any_call, "https://api.test/ordres/9999?page=9999")
        return time.perf_counter() - start

    assert (
        "nearest: GET https://api.test/orders/9999?page=9999 (differs in path)"
        in (failure(registry.assert_any_call, "https://api.test/ordres/9999?page=9999")[0])
    )
    # About 3 ms on an idle machine.
    assert min(cost() for _ in range(10)) < 0.02
