"""Conditions of a route: headers, query, JSON, form, body and a function of the request."""

import functools
import io
import re
import threading
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from unittest.mock import ANY

import pytest
from memory_client import MemoryClient, make_request, match
from multidict import CIMultiDict

from aiointercept_core import Registry

URL = "https://api.test/users"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Positive:
    """Equal to every positive number."""

    def __eq__(self, other):
        return isinstance(other, int) and other > 0

    def __hash__(self):
        return 1


@pytest.fixture
def registry():
    return Registry()


def fits(registry, *, url=URL, method="POST", **options):
    return match(registry, method, url, **options).route is not None


@pytest.mark.parametrize(
    ("options", "sent", "other"),
    [
        ({"match_json": {"id": ANY, "n": [1]}}, {"body": b'{"n": [1], "id": 7}'}, {"body": b'{"n": [2], "id": 7}'}),
        ({"match_json": {"id": Positive()}}, {"body": b'{"id": 3}'}, {"body": b'{"id": -3}'}),
        ({"match_json": [pytest.approx(0.3)]}, {"body": b"[0.30000000000000004]"}, {"body": b"[0.31]"}),
        ({"match_json": {"name": re.compile("A")}}, {"body": b'{"name": "Ada"}'}, {"body": b'{"name": "Bob"}'}),
        ({"match_json": 1}, {"body": b"1"}, {"body": b"no json"}),
        ({"match_headers": {"X-A": re.compile(r"B\w+")}}, {"headers": {"x-a": "Bob"}}, {"headers": {"x-a": "a Bob"}}),
        ({"match_headers": {"X-A": "1"}}, {"headers": {"x-A": "1", "X-B": "2"}}, {"headers": {"X-B": "1"}}),
        ({"match_form": {"a": 1}}, {"body": b"a=1", "headers": FORM}, {"body": b"a=1&b=2", "headers": FORM}),
        ({"match_form": {"a": "1"}}, {"body": b"a=1", "headers": FORM}, {"body": b"a=1"}),
        ({"match_body": "text"}, {"body": b"text"}, {"body": b"texts"}),
        ({"match_body": b"\xff"}, {"body": b"\xff"}, {"body": b"\xfe"}),
        ({"match_body": re.compile("te")}, {"body": b"text"}, {"body": b"a text"}),
        ({"match_body": re.compile(b"\xff")}, {"body": b"\xff\x00"}, {"body": b"\x00\xff"}),
        ({"match": lambda request: request.body == b"7"}, {"body": b"7"}, {"body": b"8"}),
        ({"match_query": {"page": 2}}, {"url": f"{URL}?a=1&page=2"}, {"url": f"{URL}?page=3"}),
        ({"match_query": {"a": "1"}}, {"url": f"{URL}?a=0&a=1"}, {"url": f"{URL}?a=0&a=2"}),
        ({"match_query": {"a": re.compile("x")}}, {"url": f"{URL}?a=xyz"}, {"url": f"{URL}?a=yxz"}),
        ({"match_query": {}}, {"url": f"{URL}?any=1"}, {"url": f"{URL}/other"}),
        ({"params": {"page": 2}}, {"url": f"{URL}?page=2"}, {"url": f"{URL}?page=2&a=1"}),
    ],
)
def test_a_condition_holds_for_one_request_and_not_for_another(registry, options, sent, other):
    registry.post(URL, **options)
    assert not fits(registry, **other)
    assert fits(registry, **sent)


SEVERAL = CIMultiDict([("X-A", "1"), ("x-a", "2"), ("X-A", "3")])


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        ({"x-a": "2"}, True),
        (CIMultiDict([("x-a", "3"), ("X-A", "1")]), True),
        (CIMultiDict([("x-a", ANY), ("X-A", re.compile("[12]")), ("X-A", "1")]), True),
        (CIMultiDict([("x-a", "1"), ("X-A", "1")]), False),
        (CIMultiDict([("x-a", "1"), ("X-A", "4")]), False),
    ],
)
def test_of_several_headers_with_one_name_each_expected_value_must_be_there(registry, expected, holds):
    registry.post(URL, match_headers=expected)
    assert fits(registry, headers=SEVERAL) is holds


class Number(Enum):
    ONE = 1


@pytest.mark.parametrize(
    ("expected", "query"),
    [
        ([ANY, "a"], "t=a&t=b"),
        ([re.compile("a|b"), "a"], "t=a&t=b"),
        (Number.ONE, "t=1"),
        ([IntEnum("Two", "a b").b], "t=2"),
        (Decimal("2.50"), "t=2.50"),
    ],
)
def test_values_of_a_query(registry, expected, query):
    registry.get(URL, match_query={"t": expected})
    assert fits(registry, method="GET", url=f"{URL}?{query}")


@pytest.mark.parametrize("body", [None, b""])
@pytest.mark.parametrize("expected", [b"", "", re.compile(""), re.compile(b".*$")])
def test_no_body_is_an_empty_one(registry, body, expected):
    registry.post(URL, match_body=expected)
    assert fits(registry, body=body)


def test_all_conditions_of_a_route_must_hold(registry):
    registry.post(URL, match_headers={"X-A": "1"}, match_json=2, match=lambda request: request.method == "POST")
    assert not fits(registry, headers={"X-A": "1"}, body=b"3")
    assert not fits(registry, headers={"X-A": "2"}, body=b"2")
    assert fits(registry, headers={"X-A": "1"}, body=b"2")


def test_match_query_adds_to_the_pairs_of_the_url_and_of_params(registry):
    registry.get(f"{URL}?a=1", params={"b": 2}, match_query={"c": 3})
    assert not fits(registry, method="GET", url=f"{URL}?a=1&c=3")
    assert fits(registry, method="GET", url=f"{URL}?d=4&c=3&b=2&a=1")


def test_match_query_works_with_a_pattern(registry):
    registry.get(re.compile(rf"{URL}\?"), match_query={"a": 1})
    assert not fits(registry, method="GET", url=f"{URL}?a=2")
    assert fits(registry, method="GET", url=f"{URL}?b=0&a=1")


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("match_headers", {"x-a": "1"}, {"X-A": "1"}),
        ("match_headers", {"x-a": "1"}, CIMultiDict({"X-A": "1"})),
        ("match_query", {"a": "1"}, {"a": ["1"]}),
        ("match_query", {"a": "1"}, {"a": 1}),
        ("match_form", {"a": ["1"]}, {"a": "1"}),
    ],
)
def test_conditions_that_mean_the_same_are_equal(registry, name, first, second):
    registry.post(URL, repeat=True, **{name: first})
    with pytest.raises(ValueError, match="already has a reply with repeat=True"):
        registry.post(URL, **{name: second})


def test_expected_values_are_those_of_the_registration(registry):
    expected, headers = {"ids": [1]}, {"X-A": "1"}
    registry.post(URL, match_json=expected, match_headers=headers)
    expected["ids"].append(2)
    headers["X-A"] = "2"
    assert fits(registry, headers={"X-A": "1"}, body=b'{"ids": [1]}')


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        ({"id": 1}, {"id": 1}, True),
        ({"id": ANY}, {"id": ANY}, True),
        ({"id": 1}, {"id": ANY}, False),
        ({"id": ANY}, {"id": 1}, False),
        ({"id": 1}, {"id": True}, False),
        ({"id": 1}, {"id": 1.0}, False),
        ([1, [2]], [1, [2]], True),
        ([Positive()], [Positive()], False),
    ],
)
def test_repeat_true_concerns_only_routes_with_equal_conditions(registry, first, second, equal):
    registry.post(URL, match_json=first, repeat=True)
    if equal:
        with pytest.raises(ValueError, match="already has a reply with repeat=True"):
            registry.post(URL, match_json=second)
    else:
        registry.post(URL, match_json=second)
    assert len(registry.routes) == (1 if equal else 2)


def test_a_condition_is_evaluated_once_for_each_request_and_route(registry):
    asked = []
    registry.post(URL, match=asked.append, repeat=3)
    for number in (1, 2):
        assert "match: " in match(registry, "POST", URL).explanation
        assert len(asked) == number


class Body(bytes):
    """A body that counts how often it is decoded."""

    decoded = 0

    def decode(self, *args):
        self.decoded += 1
        return super().decode(*args)


def test_a_body_is_parsed_once_for_all_conditions_on_its_json(registry):
    for number in range(10):
        registry.post(URL, match_json={"id": number})
    body = Body(b'{"id": 10}')
    assert match(registry, "POST", URL, body=body).unmatched
    assert body.decoded == 1


def test_what_a_condition_does_to_the_json_of_a_request_is_not_seen_by_the_next_request(registry):
    class Clearing(dict):
        def __eq__(self, other):
            is_equal = dict(self) == other
            other.clear()
            return is_equal

        __hash__ = None

    registry.post(URL, match_json=[Clearing(a=1)], repeat=2)
    assert fits(registry, body=b'[{"a": 1}]')
    assert fits(registry, body=b'[{"a": 1}]')


def test_a_condition_may_register_a_route(registry):
    def register(request):
        registry.post(URL, status=201)
        return False

    registry.post(URL, match=register)
    assert match(registry, "POST", URL).route is registry.routes[-1]


def test_a_condition_may_wait_for_a_registration_of_another_thread(registry):
    def register_elsewhere(request):
        thread = threading.Thread(target=registry.get, args=[URL], daemon=True)
        thread.start()
        thread.join(5)
        return not thread.is_alive()

    registry.post(URL, match=register_elsewhere)
    assert fits(registry)


@pytest.mark.parametrize("error", [ValueError("broken"), AssertionError("broken")])
def test_a_condition_that_raises_does_not_hold_and_is_reported_once(error):
    errors = []
    registry = Registry(on_error=lambda exc, request: errors.append(exc))

    def broken(request):
        raise error

    registry.post(URL, match=broken)
    assert f"raised {type(error).__name__}: broken" in match(registry, "POST", URL).explanation
    registry.post(URL, status=201)
    assert fits(registry)
    assert errors == [error, error]


def coroutine_of_another_function(request):
    return coroutine_function(request)


def generator_function(request):
    yield True


@pytest.mark.parametrize("function", [coroutine_of_another_function, generator_function])
def test_a_function_whose_result_is_always_true_does_not_hold(function):
    errors = []
    registry = Registry(on_error=lambda exc, request: errors.append(exc))
    registry.post(URL, match=function)
    assert "which is always true; return True or False" in match(registry, "POST", URL).explanation
    assert [type(error) for error in errors] == [TypeError]


def test_an_unmatched_request_is_explained_field_by_field(registry):
    registry.post(URL, match_json={"name": "Ada"}, match_headers={"X-A": "1"})
    assert match(registry, "POST", URL, body=b'{"name": "Bob"}', headers={"X-A": "2"}).explanation == (
        f"no route matches POST {URL}; nearest: POST {URL} "
        "(headers['X-A']: expected '1', got '2'; json['name']: expected 'Ada', got 'Bob')"
    )


FILES = "https://api.test/v1/x/files/abc?page=2"


@pytest.mark.parametrize("fillers", [0, 200])
@pytest.mark.parametrize(
    ("url", "nearest", "others"),
    [
        (FILES, r"https://api\.test/v1/x/files/\d+$", [r"https://api\.test/v1/x/users/\d+$"]),
        (FILES, r"^https://api\.test/v1/.*/files/\d+$", [r"^https://api\.test/v1/.*/folders/\d+$", r".*/x/orders/\d+"]),
        (FILES, r".*/files/\d+$", [r".*/users/\d+$", r".*/orders/\d+$"]),
        (FILES, r".*files/\d+$", [r".*users", r".*orders"]),
        (FILES, r"^https?://.*/files$", [r"^https?://.*/users$", r"^https?://.*/orders$"]),
        (FILES, r"https://api\.test/v1/x/(users|files)/\d+$", [r"https://api\.test/v1/x/(users|orders)/\d+$"]),
        (FILES, r"(http|https)://api\.test/v1/x/files/\d+$", [r"https://api\.test/v1/x/users/\d+$"]),
        ("https://api.test/u/1/post", r"https://api\.test/u/\d+/posts$", [r"https://api\.test/u/\d+/photos$"]),
        ("https://api.test/v1/ordrs/1", r"https://api\.test/v1/orders/\d+$", [r"https://api\.test/v1/taxes/\d+$"]),
        ("https://api.test/v1/fiels/1", r"https://api\.test/v1/files/\d+$", [r"https://api\.test/v1/users/\d+$"]),
        ("https://api.test/v1/users/a", r"https://api\.test/v1/users/\d+$", [r"https://api\.test/v1/users/\d+/x$"]),
    ],
)
def test_the_nearest_pattern_is_the_one_that_resembles_the_url_most(registry, url, nearest, others, fillers):
    for pattern in (*others, nearest, *others):
        registry.get(re.compile(pattern))
    for number in range(fillers):
        registry.get(re.compile(rf"https://api\.test/thing{number}/.*/things"))
        registry.get(re.compile(rf".*/thing{number}/\d+$"))
    explanation = match(registry, "GET", url).explanation
    assert explanation.partition("nearest: ")[2].startswith(f"GET pattern {nearest!r} (differs in URL)")


def test_patterns_with_the_same_text_are_all_named(registry):
    for pattern in (r"https://api\.test/files/\d+$", r"https://api\.test/files/[a-c]+$"):
        registry.get(re.compile(pattern))
    assert match(registry, "GET", "https://api.test/files/x").explanation.count("pattern") == 2


def test_conditions_of_routes_for_other_urls_are_not_evaluated(registry):
    asked = []
    for number in range(1000):
        registry.post(f"{URL}/{number}", match=lambda request, number=number: asked.append(number) or True)
    assert fits(registry, url=f"{URL}/500")
    assert asked == [500]


def test_conditions_of_routes_for_one_url_are_evaluated_once(registry):
    asked = []
    for number in range(100):
        registry.post(URL, match=lambda request, number=number: asked.append(number) or number == 99)
    assert fits(registry)
    assert asked == list(range(100))


async def coroutine_function(request):
    raise AssertionError("never called")


class AsyncCallable:
    async def __call__(self, request):
        raise AssertionError("never called")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"match_headers": [("a", "b")]}, "match_headers must be a mapping"),
        ({"match_headers": {"X-A": 1}}, "header values are text, got 'X-A': 1"),
        ({"match_query": {"a": b"1"}}, "query values are text, got 'a': b'1'"),
        ({"match_query": {"a": ["1", b"1"]}}, "query values are text, got 'a': b'1'"),
        ({"match_query": "a=1"}, "match_query must be a mapping"),
        ({"match_query": {"a": None}}, "match_query: 'a' is None, which no request has"),
        ({"match_form": b"a=1"}, "match_form must be a mapping"),
        ({"match_body": {"a": 1}}, "use match_json= for JSON"),
        ({"match": True}, "match must be a function of a request"),
        ({"match": coroutine_function}, "match must be a plain function"),
        ({"match": AsyncCallable()}, "match must be a plain function"),
        ({"match": functools.partial(functools.partial(AsyncCallable()))}, "match must be a plain function"),
        ({"match": lambda: True}, "must take one argument, the request"),
        ({"text": "a"}, "did you mean 'body'?"),
        ({"times": 2}, "did you mean 'repeat'?"),
        ({"query": {}}, "did you mean 'params'?"),
        ({"body": Path("reply.json")}, "write body=path.read_bytes()"),
        ({"body": io.BytesIO(b"a")}, "write body=file.read()"),
        ({"body": bytearray(b"a")}, "write body=bytes(...)"),
        ({"body": (part for part in ["a"])}, "join the parts"),
    ],
)
def test_arguments_that_cannot_work_are_refused(registry, options, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        registry.post(URL, **options)
    assert registry.routes == []


def test_a_sync_generator_function_is_refused_as_a_body(registry):
    def parts():
        yield b"a"

    with pytest.raises(TypeError, match=r"parts\(\) is a sync generator function.*write `async def`"):
        registry.get(URL, body=parts)


def test_json_that_contains_itself_is_refused(registry):
    value = []
    value.append(value)
    with pytest.raises(ValueError, match="match_json is nested too deeply"):
        registry.post(URL, match_json=value)


def test_params_are_refused_with_a_pattern(registry):
    with pytest.raises(TypeError, match="use match_query="):
        registry.get(re.compile(URL), params={"a": 1})


def test_a_second_positional_argument_is_refused(registry):
    with pytest.raises(TypeError, match=r"for example payload=\{'n': 1\}"):
        registry.get(URL, {"n": 1})


@pytest.mark.parametrize(
    ("coding", "options", "refused"),
    [
        ("br", {"body": "text"}, True),
        ("br", {"payload": {"a": 1}}, True),
        ("br", {"body": b"may be compressed"}, False),
        ("zstd", {"body": "text"}, True),
        ("zstd", {"body": b"text"}, True),
        ("gzip, zstd", {"body": b"text"}, True),
        ("zstd", {"body": b"\x28\xb5\x2f\xfd\x00"}, False),
        ("zstd", {"body": b"\x51\x2a\x4d\x18\x00"}, False),
    ],
)
def test_a_plain_body_with_a_content_coding_is_refused(registry, coding, options, refused):
    if refused:
        with pytest.raises(ValueError, match="is not encoded that way"):
            registry.get(URL, headers={"Content-Encoding": coding}, **options)
    else:
        registry.get(URL, headers={"Content-Encoding": coding}, **options)


async def test_callbacks_get_the_arguments_that_they_take():
    registry, got = Registry(), []

    def everything(url, *, method, form, request, match, **rest):
        got.append((method, form, request, match and match[1], sorted(rest)))
        raise LookupError

    registry.post(re.compile(rf"{URL}/(\d+)"), callback=everything)
    registry.post(URL, callback=everything)
    for path in ("/7", ""):
        with pytest.raises(LookupError):
            await MemoryClient(registry).request("POST", URL + path, headers=FORM, body=b"a=1&a=2")
    rest = ["data", "headers", "json", "query"]
    form, requests = {"a": ["1", "2"]}, [request for _, request in registry.ordered_requests]
    assert got == [("POST", form, requests[0], "7", rest), ("POST", form, requests[1], None, rest)]


@pytest.mark.parametrize("callback", [lambda: None, lambda url, other: None, lambda *, url: None])
def test_a_callback_that_cannot_be_called_is_refused(registry, callback):
    with pytest.raises(TypeError, match="callback"):
        registry.get(URL, callback=callback)


def test_only_the_head_decides_before_the_body_has_arrived(registry):
    registry.post(URL, match_headers={"X-A": "1"}, match=lambda request: request.body == b"a")
    assert not registry.matches_head(make_request("POST", URL))
    assert registry.matches_head(make_request("POST", URL, headers={"X-A": "1"}))


def test_a_list_is_no_header_value(registry):
    with pytest.raises(
        TypeError, match=r"^match_headers: got several values for 'X-A', \['1', '2'\]; pass a multidict"
    ):
        registry.get(URL, match_headers={"X-A": ["1", "2"]})
