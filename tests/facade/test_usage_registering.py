"""The usage documentation on registering replies, each statement tried as its reader would."""

import asyncio
import inspect
import re

import aiohttp
import pytest
from support import fetch
from yarl import URL

from aiointercept import CallbackResult, Route, aiointercept
from aiointercept_core import Registry, RouteOptions

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


async def reply_to(**options):
    """Register one reply with `options` and ask for it."""
    async with aiointercept() as m:
        m.add(f"{m.server_url}/x", **options)
        return await fetch(f"{m.server_url}/x")


DEFAULTS = {
    "method": "GET",
    "status": 200,
    "body": b"",
    "json": None,
    "payload": None,
    "headers": None,
    "repeat": False,
    "content_type": None,
    "callback": None,
    "reason": None,
    "exception": None,
}


def test_the_arguments_of_add_have_their_documented_defaults_and_order():
    parameters = list(inspect.signature(aiointercept.add).parameters.values())[1:13]
    assert parameters[0].name == "url"
    assert parameters[0].default is inspect.Parameter.empty
    assert {p.name: p.default for p in parameters[1:]} == DEFAULTS
    assert [p.name for p in parameters[1:]] == list(DEFAULTS)


def test_add_has_the_signature_of_core_and_the_shortcuts_show_it():
    signature = inspect.signature(aiointercept.add)
    assert signature.parameters == inspect.signature(Registry.add).parameters
    known = [p for p in signature.parameters.values() if p.name not in ("self", "method", "unknown")]
    shown = [p.replace(annotation=inspect.Parameter.empty) for p in known]
    for name in ("get", "post", "put", "patch", "delete", "head", "options", "any"):
        assert list(inspect.signature(getattr(aiointercept(), name)).parameters.values()) == shown
    assert [p.name for p in known[1:]] == list(RouteOptions.__annotations__)


@pytest.mark.parametrize("name", ["add", "ws"])
def test_the_docstring_has_the_paragraphs_of_core(name):
    """They are written out, because editors show docstrings without running code."""
    shown, core = (inspect.getdoc(getattr(cls, name)).split("\n\n") for cls in (aiointercept, Registry))
    assert shown[1:-1] == core[1:-1]
    assert shown[-1].startswith("Raises `RuntimeError` when the mock is not running")


async def test_the_arguments_of_add_may_be_given_by_position():
    async with aiointercept() as m:
        url = f"{m.server_url}/x"
        registered = m.add(url, "post", 201, b"raw", None, None, {"X-A": "1"}, 2, "text/plain", None, "Made", None)
        for _ in range(2):
            reply = await fetch(url, "POST")
            assert (reply.status, reply.reason, reply.body, reply.headers["X-A"]) == (201, "Made", b"raw", "1")
            assert reply.headers["Content-Type"] == "text/plain"
        assert isinstance(registered, Route)
        assert registered.call_count == 2


@pytest.mark.parametrize("kind", [str, URL, lambda url: re.compile(re.escape(url) + "$")])
async def test_the_url_is_a_str_a_url_or_a_pattern(kind):
    async with aiointercept() as m:
        m.add(kind(f"{m.server_url}/x"), payload="found")
        assert (await fetch(f"{m.server_url}/x")).json == "found"


async def test_without_options_the_reply_is_an_empty_200():
    reply = await reply_to()
    assert (reply.status, reply.reason, reply.body) == (200, "OK", b"")
    assert reply.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["post", "POST", "Post"])
async def test_the_method_may_be_written_in_any_case(method):
    async with aiointercept() as m:
        m.add(f"{m.server_url}/x", method=method, payload="posted")
        assert (await fetch(f"{m.server_url}/x", "POST")).json == "posted"


@pytest.mark.parametrize("status", [200, 201, 301, 404, 503, 599])
async def test_the_status_is_sent(status):
    async with aiointercept() as m:
        m.get(f"{m.server_url}/x", status=status)
        assert (await fetch(f"{m.server_url}/x", allow_redirects=False)).status == status


async def test_a_bytes_body_is_sent_as_it_is():
    assert (await reply_to(body=b"\x00\xff")).body == b"\x00\xff"


async def test_a_str_body_is_sent_as_utf8():
    assert (await reply_to(body="grün ☃")).body == "grün ☃".encode()


@pytest.mark.parametrize("name", ["json", "payload"])
@pytest.mark.parametrize("value", [{"a": [1, None, "ü"]}, [], "text", 0, False])
async def test_json_and_payload_are_serialised_and_override_the_body(name, value):
    reply = await reply_to(body=b"overridden", **{name: value})
    assert reply.json == value
    assert reply.headers["Content-Type"] == "application/json"


async def test_headers_are_extra_response_headers():
    reply = await reply_to(headers={"X-Rate-Limit": "10", "ETag": '"1"'}, payload=1)
    assert (reply.headers["X-Rate-Limit"], reply.headers["ETag"]) == ("10", '"1"')
    assert reply.headers["Content-Type"] == "application/json"


async def test_content_type_overrides_the_content_type():
    assert (await reply_to(content_type="text/html; charset=utf-8")).headers["Content-Type"] == (
        "text/html; charset=utf-8"
    )


async def test_the_reason_is_sent():
    assert (await reply_to(status=404, reason="Nowhere To Be Seen")).reason == "Nowhere To Be Seen"


@pytest.mark.filterwarnings("ignore:exception=:aiointercept.AiointerceptWarning")
@pytest.mark.parametrize("exception", [True, ConnectionResetError("gone"), TimeoutError])
async def test_with_an_exception_the_client_gets_a_connection_error(exception):
    with pytest.raises(aiohttp.ClientConnectionError):
        await reply_to(exception=exception)


async def test_a_falsy_exception_is_none():
    assert (await reply_to(exception=False, payload=1)).json == 1


@pytest.mark.parametrize("method", METHODS)
async def test_each_method_has_a_shortcut_that_forwards_its_keywords(method):
    async with aiointercept() as m:
        shortcut = getattr(m, method.lower())
        registered = shortcut(
            f"{m.server_url}/x", status=202, body="done", headers={"X-A": "1"}, reason="Taken", repeat=2
        )
        for _ in range(2):
            reply = await fetch(f"{m.server_url}/x", method)
            assert (reply.status, reply.reason, reply.headers["X-A"]) == (202, "Taken", "1")
            assert reply.text == ("" if method == "HEAD" else "done")
        assert registered.call_count == 2
        m.assert_called_with(f"{m.server_url}/x", method)


async def test_a_pattern_matches_a_family_of_urls():
    async with aiointercept(mock_external_urls=True) as m:
        pattern = re.compile(r"^https://api\.example\.com/users/\d+$")
        m.get(pattern, payload={"id": 1, "name": "Alice"}, repeat=True)

        assert (await fetch("https://api.example.com/users/1")).json == {"id": 1, "name": "Alice"}
        assert (await fetch("https://api.example.com/users/42")).json == {"id": 1, "name": "Alice"}
        for other in (
            "https://api.example.com/users/",
            "https://api.example.com/users/x",
            "http://api.example.com/users/1",
        ):
            with pytest.raises(aiohttp.ClientConnectionError):
                await fetch(other)


async def test_repeat_true_answers_every_request():
    async with aiointercept() as m:
        registered = m.get(f"{m.server_url}/x", repeat=True, payload={"ok": True})
        async with aiohttp.ClientSession() as session:
            for _ in range(20):
                async with session.get(f"{m.server_url}/x") as response:
                    assert await response.json() == {"ok": True}
        assert registered.call_count == 20


async def test_repeat_n_answers_n_times_and_then_the_client_gets_a_connection_error():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/x", repeat=3, status=200)
        for _ in range(3):
            assert (await fetch(f"{m.server_url}/x")).status == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await fetch(f"{m.server_url}/x")


@pytest.mark.parametrize("repeat", [False, 0, 1])
async def test_without_repeat_there_is_one_answer(repeat):
    async with aiointercept() as m:
        m.get(f"{m.server_url}/x", repeat=repeat)
        assert (await fetch(f"{m.server_url}/x")).status == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await fetch(f"{m.server_url}/x")


async def test_replies_to_one_url_queue_up():
    async with aiointercept() as m:
        m.post(f"{m.server_url}/x", status=201, payload={"created": True})
        m.post(f"{m.server_url}/x", status=409, payload={"error": "conflict"})

        first, second = await fetch(f"{m.server_url}/x", "POST"), await fetch(f"{m.server_url}/x", "POST")
        assert (first.status, first.json) == (201, {"created": True})
        assert (second.status, second.json) == (409, {"error": "conflict"})
        with pytest.raises(aiohttp.ClientConnectionError):
            await fetch(f"{m.server_url}/x", "POST")


def echo(url, *, headers, query, json, **kwargs):
    return CallbackResult(status=200, payload={"echo": json})


async def test_a_callback_answers_by_the_request():
    async with aiointercept() as m:
        m.post(f"{m.server_url}/echo", callback=echo)
        reply = await fetch(f"{m.server_url}/echo", "POST", json={"n": 1})
        assert (reply.status, reply.json) == (200, {"echo": {"n": 1}})


async def answer_slowly(url, **kwargs):
    await asyncio.sleep(0.01)
    return CallbackResult(body=b"async response")


async def test_a_callback_may_be_async():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/slow", callback=answer_slowly)
        assert (await fetch(f"{m.server_url}/slow")).body == b"async response"


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("method", "GET"),
        ("status", 200),
        ("body", ""),
        ("content_type", "application/json"),
        ("payload", None),
        ("headers", None),
        ("response_class", None),
        ("reason", None),
    ],
)
def test_a_field_of_callback_result_has_its_documented_default(field, default):
    assert getattr(CallbackResult(), field) == default


def test_the_fields_of_callback_result_come_in_the_documented_order():
    fields = ["method", "status", "body", "content_type", "payload", "headers", "response_class", "reason"]
    assert list(inspect.signature(CallbackResult).parameters)[: len(fields)] == fields


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (CallbackResult(), (200, "OK", b"", "application/json")),
        (CallbackResult(status=418), (418, "I'm a Teapot", b"", "application/json")),
        (CallbackResult(body="ü"), (200, "OK", "ü".encode(), "application/json")),
        (CallbackResult(body=b"\xff"), (200, "OK", b"\xff", "application/json")),
        (CallbackResult(body="no", payload=[1]), (200, "OK", b"[1]", "application/json")),
        (CallbackResult(content_type="text/csv"), (200, "OK", b"", "text/csv")),
        (CallbackResult(headers={"Content-Type": "text/xml"}), (200, "OK", b"", "text/xml")),
        (CallbackResult(reason="Fine"), (200, "Fine", b"", "application/json")),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else None,
)
async def test_a_field_of_callback_result_shows_in_the_reply(result, expected):
    reply = await reply_to(callback=lambda url, **kwargs: result)
    assert (reply.status, reply.reason, reply.body, reply.headers["Content-Type"]) == expected


async def test_the_headers_of_callback_result_are_extra_response_headers():
    reply = await reply_to(callback=lambda url, **kwargs: CallbackResult(headers={"X-A": "1"}, payload={}))
    assert (reply.headers["X-A"], reply.headers["Content-Type"]) == ("1", "application/json")


async def test_intercepted_requests_are_kept_by_method_and_url():
    async with aiointercept(mock_external_urls=True) as m:
        m.post("https://api.example.com/orders", repeat=True)
        await fetch("https://api.example.com/orders", "POST", json={"n": 1})
        await fetch("https://api.example.com/orders", "POST", json={"n": 2}, headers={"X-Trace": "t"})

        key = ("POST", URL("https://api.example.com/orders"))
        req = m.requests[key][-1]

        assert len(m.requests[key]) == 2
        assert req.captured_body == b'{"n": 2}'
        assert req.kwargs["json"] == {"n": 2}
        assert req.kwargs["query"] == {}
        assert req.kwargs["headers"]["x-trace"] == "t"


async def test_kwargs_json_is_none_where_the_body_is_no_json():
    async with aiointercept() as m:
        m.post(f"{m.server_url}/x")
        await fetch(f"{m.server_url}/x", "POST", data=b"{")
        assert m.last_request.kwargs["json"] is None
        assert m.last_request.captured_body == b"{"


async def test_kwargs_query_preserves_duplicate_keys():
    async with aiointercept() as m:
        m.get(re.compile(".*"))
        await fetch(f"{m.server_url}/x?tag=b&tag=a&n=1&empty=")
        assert m.last_request.kwargs["query"] == {"tag": ["b", "a"], "n": ["1"], "empty": [""]}


async def test_urls_are_normalised_without_fragment_and_with_sorted_query():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/x?b=2&a=1#top", payload="found")
        assert (await fetch(f"{m.server_url}/x?a=1&b=2")).json == "found"
        assert list(m.requests) == [("GET", URL(f"{m.server_url}/x?a=1&b=2"))]
        assert m.requests["GET", URL(f"{m.server_url}/x?b=2&a=1#other")] == [m.last_request]
