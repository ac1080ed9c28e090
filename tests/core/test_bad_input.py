"""What cannot be served is refused at registration, in words that help, and leaves the registry as it was."""

import re
from collections import UserList

import pytest
from memory_client import choose

from aiointercept_core import Registry

URL = "http://h.test/"


class Hostile:
    def __repr__(self):
        raise ZeroDivisionError


def recursive():
    value = []
    value.append(value)
    return value


def deep():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


async def coroutine_function():
    raise AssertionError("never called")


URL_IN_FULL = "write it in full, as 'https://api.example.com/path'"
BAD_URLS = [
    (None, TypeError, "url: expected a str, yarl.URL or compiled re.Pattern, got None; " + URL_IN_FULL),
    (b"http://h.test/", TypeError, "url: expected a str, yarl.URL or compiled re.Pattern, got b'http://h.test/'"),
    (["http://h.test/"], TypeError, "got ['http://h.test/']; write it in full"),
    (re.compile(b"http"), TypeError, "url: expected a pattern of str, got re.compile(b'http'); compile it from a str"),
    ("", ValueError, "url: expected an absolute http or https URL with a host, got ''; " + URL_IN_FULL),
    ("/path", ValueError, "got '/path'; write it in full"),
    ("h.test/path", ValueError, "got 'h.test/path'"),
    ("//h.test/path", ValueError, "got '//h.test/path'"),
    ("http:///path", ValueError, "got 'http:///path'"),
    ("http://", ValueError, "expected an absolute http or https URL"),
    ("http://:80/", ValueError, "expected an absolute http or https URL"),
    ("http://?a=1", ValueError, "expected an absolute http or https URL"),
    ("ftp://h.test/", ValueError, "with a host, got 'ftp://h.test/'"),
    ("mailto:a@h.test", ValueError, "got 'mailto:a@h.test'"),
    ("http://h.test:99999/", ValueError, "url: expected an absolute http or https URL, got 'http://h.test:99999/': "),
    ("http://h.test:port/", ValueError, "got 'http://h.test:port/': "),
    ("http://[::1/", ValueError, "got 'http://[::1/': "),
    ("http://[nonsense]/", ValueError, "got 'http://[nonsense]/': "),
]

BAD_METHODS = [
    ("", "method: expected an HTTP method as a str without spaces, got ''; pass one such as 'GET'"),
    ("GET ", "got 'GET '"),
    ("GET /", "got 'GET /'"),
    ("GÉT", "got 'GÉT'"),
    ("GET\r\n", r"got 'GET\r\n'"),
    (None, "got None"),
    (b"GET", "got b'GET'"),
]


def cases(name, error, message, *values):
    """Return a case for each value of one argument; in the message `{}` is its repr, and dots leave something out."""
    return [({name: value}, error, message.replace("{}", repr(value)).split(" ... ")) for value in values]


SERIALISABLE = "payload: expected a value that json.dumps can serialise, got "
BAD_OPTIONS = [
    *cases("stauts", TypeError, "unknown keyword argument 'stauts' ... did you mean 'status'?", 404),
    *cases("surprise", TypeError, "unknown keyword argument 'surprise': expected some of status, ... remove it", 1),
    *cases(
        "status",
        ValueError,
        "status: expected an int from 200 to 999 or an http.HTTPStatus, got {}; pass a number such as 404",
        *(True, False, 0, 100, 199, 1000, -1, "200", 200.0, b"200", [200]),
    ),
    *cases(
        "body",
        TypeError,
        "body: expected str, bytes, an async iterable of bytes, or a function that returns a fresh one for each reply, "
        "got {}; use payload= for a value",
        *({"a": 1}, 5, ["a"], bytearray(b"a"), object(), iter([b"a"])),
    ),
    *cases("body", ValueError, "body: expected a str that can be encoded as UTF-8, got {}; pass bytes", "\ud800"),
    *cases("payload", TypeError, SERIALISABLE + "{}: Object of type set is not ... pass text with body=", {1, 2}),
    *cases("json", TypeError, SERIALISABLE + "{} ... convert it", {"a": object}, {(1, 2): 3}),
    *cases("payload", ValueError, SERIALISABLE + "[[[[[...]]]]]: Circular reference ... convert it", recursive()),
    ({"payload": deep()}, ValueError, [SERIALISABLE, "convert it"]),
    ({"payload": Hostile()}, TypeError, [SERIALISABLE, "convert it"]),
    ({"json": 1, "payload": 1}, ValueError, ["json and payload are two names", "got both; pass one of them"]),
    ({"json": 0, "payload": ""}, ValueError, ["json and payload are two names", "got both; pass one of them"]),
    *cases(
        "headers",
        TypeError,
        "headers: expected a mapping of str to str, got {}; use a dict, or a multidict for duplicates",
        *([("X-A", "1")], "X-A: 1", 5),
    ),
    *(
        (
            {"headers": {name: value}},
            TypeError,
            [f"headers: expected str names and values, got {name!r}: {value!r}; conv"],
        )
        for name, value in [("X-A", 1), ("X-A", None), ("X-A", ["1"]), (b"X-A", "1"), (1, "1")]
    ),
    *(
        ({"headers": {name: "1"}}, ValueError, [f"headers: {name!r} is no HTTP header name; use letters, digits and"])
        for name in ("", "X A", "X-A:", "X\r\nY", "X\n", "X\0", "Ü")
    ),
    *(
        (
            {"headers": {"X-A": value}},
            ValueError,
            [f"headers: the value of 'X-A' may not hold CR, LF or NUL, got {value!r}"],
        )
        for value in ("1\r\nX-B: 2", "1\n", "\r", "a\0b")
    ),
    ({"headers": {"X-A": "\ud800"}}, ValueError, ["headers: the value of 'X-A': expected", "remove lone surrogates"]),
    *cases("content_type", TypeError, "content_type: expected a str, got {}; convert it with str()", b"text/plain", 1),
    *cases("content_type", ValueError, "content_type may not hold CR, LF or NUL, got {}; remove them", "a/b\r\n"),
    ({"content_type": 1, "headers": {"Content-Type": "a/b"}}, TypeError, ["content_type: expected a str, got 1"]),
    *cases("reason", TypeError, "reason: expected a str, got {}; convert it with str()", 404, b"Not Found"),
    *cases("reason", ValueError, "reason may not hold CR, LF or NUL, got {}; remove them", "Not\nFound", "\0"),
    *cases(
        "repeat",
        TypeError,
        "repeat: expected True for ever, False for once or a number of times, got {}; pass an int",
        *(None, 1.0, "2", [1]),
    ),
    *cases("repeat", ValueError, "repeat: expected a number of times of 0 (once) or more, got {}; pass True", -1, -100),
    *cases(
        "callback",
        TypeError,
        "callback: expected a function or coroutine function, got {}; pass it uncalled",
        *(5, "callback", False, {}),
    ),
    *cases(
        "exception",
        TypeError,
        "exception: expected True, an exception or an exception class, got {}; pass True to close the connection",
        *(1, 0, "error", int, ()),
    ),
]


def refused(registry, error, *texts, arguments=(URL,), options=None):
    """Check that `add` raises `error` with `texts` in it, in this order, in one line of bounded length."""
    with pytest.raises(error) as caught:
        registry.add(*arguments, **(options or {}))
    assert type(caught.value) is error
    message = str(caught.value)
    position = 0
    for text in texts:
        assert text in message[position:]
        position = message.index(text, position) + len(text)
    assert "\n" not in message
    assert len(message) < 1000
    return caught.value


@pytest.fixture
def registry():
    """Return a registry with something in it, and check in the end that it is as it was."""
    registry = Registry()
    first, second = registry.get(URL), registry.get(re.compile("http:"), repeat=True)
    yield registry
    assert registry.routes == [first, second]
    assert [choose(registry, "GET", URL).response for _ in range(3)] == [first, second, second]
    assert choose(registry, "POST", URL).response is None


@pytest.mark.parametrize(("url", "error", "text"), BAD_URLS)
def test_urls(registry, url, error, text):
    refused(registry, error, text, arguments=(url,))


@pytest.mark.parametrize(("method", "text"), BAD_METHODS)
def test_methods(registry, method, text):
    refused(registry, ValueError, text, arguments=(URL, method))


@pytest.mark.parametrize(("options", "error", "texts"), BAD_OPTIONS)
def test_options(registry, options, error, texts):
    refused(registry, error, *texts, options=options)
    with pytest.raises(error):
        registry.post(URL, **options)


def test_a_coroutine_in_place_of_its_function(registry):
    coroutine = coroutine_function()
    try:
        refused(registry, TypeError, "callback: expected", "<coroutine", "uncalled", options={"callback": coroutine})
        refused(registry, TypeError, "body: expected", "<coroutine", options={"body": coroutine})
    finally:
        coroutine.close()


@pytest.mark.parametrize("options", [{"payload": {1}}, {"payload": deep()}, {"body": "\ud800"}, {"reason": "\ud800"}])
def test_the_cause_is_chained(registry, options):
    error = refused(registry, TypeError if options.get("payload") == {1} else ValueError, options=options)
    assert isinstance(error.__cause__, TypeError | RecursionError | UnicodeEncodeError)


def test_a_url_that_does_not_parse_is_chained(registry):
    assert isinstance(refused(registry, ValueError, arguments=("http://h.test:99999/",)).__cause__, ValueError)


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        (("x" * 1_000_000,), {}, ValueError),
        ((b"x" * 1_000_000,), {}, TypeError),
        ((URL, "x y" * 1_000_000), {}, ValueError),
        ((URL,), {"status": "x" * 1_000_000}, ValueError),
        ((URL,), {"body": list(range(100_000))}, TypeError),
        ((URL,), {"body": bytearray(1_000_000)}, TypeError),
        ((URL,), {"body": UserList(range(100_000))}, TypeError),
        ((URL,), {"payload": [object()] * 100_000}, TypeError),
        ((URL,), {"headers": {"X-A": "\n" * 1_000_000}}, ValueError),
        ((URL,), {"headers": {" " * 1_000_000: ""}}, ValueError),
        ((URL,), {"headers": {"X-A": b"a" * 1_000_000}}, TypeError),
        ((URL,), {"headers": {"Content-Length": "9" * 1_000_000}}, ValueError),
        ((URL,), {"headers": {"Transfer-Encoding": "x" * 1_000_000}}, ValueError),
        ((URL,), {"headers": {"Content-Encoding": "gzip," * 1_000}, "body": b"a" * 1_000_000}, ValueError),
        ((URL,), {"reason": "\n" * 1_000_000}, ValueError),
        ((URL,), {"callback": "x" * 1_000_000}, TypeError),
        ((URL,), {"exception": "x" * 1_000_000}, TypeError),
        ((URL,), {"repeat": "x" * 1_000_000}, TypeError),
    ],
)
def test_the_message_is_short_however_large_the_value(registry, arguments, options, error):
    refused(registry, error, arguments=arguments, options=options)
