"""Arguments that cannot be served are refused by `add`, with a helpful message, and change nothing."""

import re
from collections import UserList
from http import HTTPStatus

import pytest
from memory_client import match

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


def answer(url):
    raise AssertionError("never called")


async def chunks():
    yield b"chunk"


IN_FULL = "; write it in full, for example 'https://api.example.com/users'"
BAD_URLS = [
    (None, TypeError, "url must be a str, a yarl.URL or a compiled re.Pattern, got None" + IN_FULL),
    (b"http://h.test/", TypeError, "url must be a str, a yarl.URL or a compiled re.Pattern, got b'http://h.test/'"),
    (["http://h.test/"], TypeError, "got ['http://h.test/']" + IN_FULL),
    (
        re.compile(b"http"),
        TypeError,
        "url must be a pattern compiled from a str, got re.compile(b'http'); compile it from a str",
    ),
    ("", ValueError, "url must be an absolute URL with the scheme http, https, ws or wss, got ''" + IN_FULL),
    ("/path", ValueError, "got '/path'" + IN_FULL),
    ("h.test/path", ValueError, "got 'h.test/path'"),
    ("//h.test/path", ValueError, "got '//h.test/path'"),
    ("http:///path", ValueError, "got 'http:///path'"),
    ("http://", ValueError, "url must be an absolute URL with the scheme http, https, ws or wss"),
    ("http://:80/", ValueError, "url must be an absolute URL with the scheme http, https, ws or wss"),
    ("http://?a=1", ValueError, "url must be an absolute URL with the scheme http, https, ws or wss"),
    (
        "ftp://h.test/",
        ValueError,
        "url must be an absolute URL with the scheme http, https, ws or wss, got 'ftp://h.test/'",
    ),
    ("mailto:a@h.test", ValueError, "got 'mailto:a@h.test'"),
    (
        "http://h.test:99999/",
        ValueError,
        "url must be an absolute URL with the scheme http, https, ws or wss, got 'http://h.test:99999/': ",
    ),
    ("http://h.test:port/", ValueError, "got 'http://h.test:port/': "),
    ("http://[::1/", ValueError, "got 'http://[::1/': "),
    ("http://[nonsense]/", ValueError, "got 'http://[nonsense]/': "),
]

BAD_METHODS = [
    ("", "method must be an HTTP method as a str without spaces, such as 'GET', got ''"),
    ("GET ", "got 'GET '"),
    ("GET /", "got 'GET /'"),
    ("GÉT", "got 'GÉT'"),
    ("GET\r\n", r"got 'GET\r\n'"),
    (None, "got None"),
    (b"GET", "got b'GET'"),
]


def cases(name, error, message, *values):
    """Return a case for each value of one argument; in the message `{}` is its repr, and dots stand for any text."""
    return [({name: value}, error, message.replace("{}", repr(value)).split(" ... ")) for value in values]


CONTROL = " must not contain control characters other than TAB, got "
CONTROL_CHARACTERS = [chr(code) for code in range(0x80) if code < 0x20 or code == 0x7F]
CONTROL_CHARACTERS.remove("\t")
SERIALISABLE = " must be a value that json.dumps can serialise, got "
BAD_OPTIONS = [
    *cases("stauts", TypeError, "unknown argument 'stauts'; did you mean 'status'?", 404),
    *cases(
        "surprise", TypeError, "unknown argument 'surprise'; the known ones are status, body, json, ... optional", 1
    ),
    *cases(
        "status",
        ValueError,
        "status must be an int from 200 to 999 or an http.HTTPStatus, got {}; for example status=404",
        *(True, False, 0, 100, 199, 1000, -1, "200", 200.0, b"200", [200]),
    ),
    *cases(
        "body",
        TypeError,
        "body must be str, bytes or an async iterable of bytes, or a function that returns one of these, got {}; "
        "use payload= to send a value as JSON",
        *({"a": 1}, 5, ["a"], object(), iter([b"a"])),
    ),
    *cases("body", ValueError, "body must be a str that can be encoded as UTF-8, got {}; pass bytes", "\ud800"),
    *cases(
        "payload", TypeError, f"payload{SERIALISABLE}{{}}: Object of type set is not ... pass text with body=", {1, 2}
    ),
    *cases("json", TypeError, f"json{SERIALISABLE}{{}} ... convert it", {"a": object}, {(1, 2): 3}),
    *cases(
        "payload", ValueError, f"payload{SERIALISABLE}[[[[[...]]]]]: Circular reference ... convert it", recursive()
    ),
    ({"payload": deep()}, ValueError, [SERIALISABLE, "convert it"]),
    ({"payload": Hostile()}, TypeError, [SERIALISABLE, "convert it"]),
    ({"json": 1, "payload": 1}, ValueError, ["json and payload are two names of the same argument; pass one of them"]),
    ({"json": 0, "payload": ""}, ValueError, ["json and payload are two names of the same argument; pass one of them"]),
    *cases(
        "headers",
        TypeError,
        "headers must be a mapping of str to str, got {}; pass a dict, or a multidict for duplicates",
        *([("X-A", "1")], "X-A: 1", 5),
    ),
    *(
        (
            {"headers": {name: value}},
            TypeError,
            [f"headers must have str names and values, got {name!r}: {value!r}; write both as str"],
        )
        for name, value in [("X-A", 1), ("X-A", None), (b"X-A", "1"), (1, "1")]
    ),
    *(
        (
            {"headers": {"Set-Cookie": value}},
            TypeError,
            [
                f"headers must have str names and values, got 'Set-Cookie': {value!r}",
                "; pass a multidict for several headers of one name: CIMultiDict([('Set-Cookie', ...), ('Set-Coo",
            ],
        )
        for value in (["a=1", "b=2"], ("a=1", "b=2"), [], [1])
    ),
    *(
        ({"headers": {name: "1"}}, ValueError, [f"headers: {name!r} is not a valid header name; use letters, digits"])
        for name in ("", "X A", "X-A:", "X\r\nY", "X\n", "X\0", "Ü")
    ),
    *(
        (
            {"headers": {"X-A": value}},
            ValueError,
            [f"headers: the value of 'X-A'{CONTROL}{value!r}"],
        )
        for value in ("1\r\nX-B: 2", *(f"a{character}b" for character in CONTROL_CHARACTERS))
    ),
    (
        {"headers": {"X-A": "\ud800"}},
        ValueError,
        ["headers: the value of 'X-A' must be text that can be encoded as UTF-8", "remove the lone surrogates"],
    ),
    *cases("content_type", TypeError, "content_type must be a str, got {}; convert it with str()", b"text/plain", 1),
    *cases("content_type", ValueError, f"content_type{CONTROL}{{}}", "a/b\r\n", *CONTROL_CHARACTERS),
    ({"content_type": 1, "headers": {"Content-Type": "a/b"}}, TypeError, ["content_type must be a str, got 1"]),
    *cases("reason", TypeError, "reason must be a str, got {}; convert it with str()", 404, b"Not Found"),
    *cases("reason", ValueError, f"reason{CONTROL}{{}}", "Not\nFound", *CONTROL_CHARACTERS),
    *cases(
        "repeat",
        TypeError,
        "repeat must be True, False or a positive number, got {}; pass an int",
        *(None, 1.0, "2", [1]),
    ),
    *cases(
        "repeat",
        ValueError,
        "repeat must be True, False or a positive number, got {}; pass True for no limit",
        -1,
        -100,
    ),
    *cases(
        "callback",
        TypeError,
        "callback must be a function, sync or async, got {}; pass the function itself, without calling it",
        *(5, "callback", False, {}),
    ),
    *cases(
        "exception",
        TypeError,
        "exception must be True, an exception or an exception class, got {}; pass True to close the connection",
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
    """Return a registry with two routes, and check after the test that it has not changed."""
    registry = Registry()
    first, second = registry.get(URL), registry.get(re.compile("http:"), repeat=True)
    yield registry
    assert registry.routes == [first, second]
    assert [match(registry, "GET", URL).route for _ in range(3)] == [first, second, second]
    assert match(registry, "POST", URL).route is None


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


def test_a_coroutine_instead_of_its_function(registry):
    coroutine = coroutine_function()
    try:
        refused(
            registry,
            TypeError,
            "callback must be a function",
            "<coroutine",
            "without calling it",
            options={"callback": coroutine},
        )
        refused(registry, TypeError, "body must be", "<coroutine", options={"body": coroutine})
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
def test_the_message_is_short_even_for_large_values(registry, arguments, options, error):
    refused(registry, error, arguments=arguments, options=options)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (404, "status=404"),
        (HTTPStatus.NOT_FOUND, "status=404"),
        (True, "payload=True"),
        ({"n": 1}, "payload={'n': 1}"),
        ("text", "body='text'"),
        (answer, "callback=answer"),
        (chunks, "body=chunks"),
    ],
)
def test_what_is_passed_by_position_is_named(registry, value, advice):
    with pytest.raises(TypeError, match=rf"^get\(\) takes only the URL .* for example {re.escape(advice)}$"):
        registry.get(URL, value)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("adding_headers forcing_headers", "did you mean 'headers'?"),
        ("additional_matcher matcher", "did you mean 'match'?"),
        ("code status_code", "did you mean 'status'?"),
        ("complete_qs", "the whole query of the URL is compared, unless match_query= is given"),
        ("content", "did you mean 'body' or 'match_body'?"),
        ("body_pattern content__contains match_content", "did you mean 'match_body'?"),
        ("cookies", "did you mean 'headers' or 'match_headers'?"),
        ("data", "did you mean 'body' or 'match_form'?"),
        ("data__contains match_data match_files", "did you mean 'match_form'?"),
        ("exc timeout", "did you mean 'fault'?"),
        ("handler", "did you mean 'callback'?"),
        ("side_effect", "did you mean 'callback' or 'fault'?"),
        ("headers__contains request_headers", "did you mean 'match_headers'?"),
        ("html response_data stream text", "did you mean 'body'?"),
        ("is_optional", "did you mean 'optional'?"),
        ("is_reusable times", "did you mean 'repeat'?"),
        ("json__eq json__name", "did you mean 'match_json'?"),
        ("match_params match_querystring params__contains", "did you mean 'match_query'?"),
        ("params__eq query query_string", "did you mean 'params'?"),
        ("passthrough", "it is an argument of the mock, not of a route"),
        ("real_http", "pass passthrough_unmatched=True to the mock"),
        ("reply respond response", "did you mean 'body' or 'payload'?"),
        ("response_class", "pass it to the session of the client"),
        ("response_json return_value", "did you mean 'payload'?"),
        ("url__regex url__startswith", "pass re.compile(...) as the URL"),
        ("auth", "the known ones are status, body,"),
    ],
)
def test_the_words_of_other_libraries_name_ours(registry, words, hint):
    for word in words.split():
        with pytest.raises(TypeError) as caught:
            registry.get(URL, **{word: None})
        assert str(caught.value).startswith(f"unknown argument {word!r}; {hint}")


@pytest.mark.parametrize(
    ("name", "arguments", "options"),
    [
        ("get", (), {}),
        ("add", (), {}),
        ("ws", (URL,), {}),
        ("assert_called_with", (URL,), {"body": b"x"}),
        ("assert_has_calls", (), {}),
    ],
)
def test_a_wrong_call_names_the_method_without_an_internal_class(registry, name, arguments, options):
    with pytest.raises(TypeError, match=rf"^{name}\(\) (missing|got) "):
        getattr(registry, name)(*arguments, **options)
