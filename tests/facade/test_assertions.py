"""The `assert_*` family on a mock that has received real requests: what passes, and what a failure says."""

import re
from unittest.mock import ANY

import aiohttp
import pytest
from multidict import CIMultiDict
from support import fetch

from aiointercept import aiointercept

API = "https://api.example.com"


async def received(*calls):
    """Return a stopped mock that has received `calls`, each of a method, a path and options."""
    async with aiointercept(mock_external_urls=True) as m:
        for method, path, options in calls:
            m.add(re.compile("https://"), method)
            await fetch(f"{API}{path}", method, **options)
    return m


GET = ("GET", "/users?page=2&tag=b&tag=a", {})
POST = ("POST", "/users", {"json": {"name": "ann", "tags": [1, 2]}, "headers": {"X-Trace": "t", "X-Id": "7"}})
FORM = ("PUT", "/form", {"data": {"name": "ann", "n": "1"}})
RAW = ("PATCH", "/raw", {"data": b"\x00raw"})


@pytest.mark.parametrize(
    ("call", "arguments", "options"),
    [
        (GET, ("/users?tag=a&tag=b&page=2",), {}),
        (GET, ("/users?page=2", "get"), {"params": [("tag", "a"), ("tag", "b")]}),
        (GET, ("/users?tag=a&tag=b", "GET"), {"params": {"page": 2}}),
        (GET, ("/users?tag=a&tag=b&page=2#top",), {}),
        (POST, ("/users", "POST"), {}),
        (POST, ("/users", "post"), {"json": {"tags": [1, 2], "name": "ann"}}),
        (POST, ("/users", "POST"), {"json": ANY}),
        (POST, ("/users", "POST"), {"json": {"name": ANY, "tags": [1, ANY]}}),
        (POST, ("/users", "POST"), {"data": b'{"name": "ann", "tags": [1, 2]}'}),
        (POST, ("/users", "POST"), {"data": '{"name": "ann", "tags": [1, 2]}'}),
        (POST, ("/users", "POST"), {"data": ANY}),
        (POST, ("/users", "POST"), {"headers": {"x-trace": "t"}}),
        (POST, ("/users", "POST"), {"headers": CIMultiDict({"X-Id": "7", "X-Trace": ANY})}),
        (FORM, ("/form", "PUT"), {"data": {"name": "ann", "n": 1}}),
        (FORM, ("/form", "PUT"), {"data": {"name": ANY, "n": "1"}}),
        (RAW, ("/raw", "PATCH"), {"data": b"\x00raw"}),
    ],
)
async def test_what_was_sent_passes(call, arguments, options):
    path, *method = arguments
    m = await received(call)
    m.assert_called()
    m.assert_called_once()
    m.assert_called_with(f"{API}{path}", *method, **options)
    m.assert_called_once_with(f"{API}{path}", *method, **options)
    m.assert_any_call(f"{API}{path}", *method, params=options.get("params"))


@pytest.mark.parametrize(
    ("call", "arguments", "options", "message", "noted"),
    [
        (GET, ("/users",), {}, r"expected a request GET .*/users, got .*\?page=2.*query \(page, tag\)", []),
        (GET, ("/user?page=2&tag=b&tag=a",), {}, r"nearest: GET .*/users\?.*differs in path", []),
        (POST, ("/users", "GET"), {}, r"nearest: POST .*/users \(differs in method\)", []),
        (
            POST,
            ("/users", "POST"),
            {"json": {"name": "bob", "tags": [1]}},
            r"POST https://api.example.com/users: expected json \{'name': 'bob', 'tags': \[1\]\}, got \{'name': 'ann'",
            ["json['name']", "'bob'", "'ann'", "json['tags'][1]", "nothing"],
        ),
        (
            POST,
            ("/users", "POST"),
            {"headers": {"X-Trace": "other", "X-Missing": "1"}},
            r"expected headers ",
            ["headers['X-Trace']", "'other'", "'t'", "headers['X-Missing']", "nothing"],
        ),
        (
            POST,
            ("/users", "POST"),
            {"headers": {"X-Id": "7"}, "strict_headers": True},
            r"headers",
            ["X-Trace"],
        ),
        (FORM, ("/form", "PUT"), {"data": {"name": "ann"}}, r"expected data ", ["data['n']", "'1'"]),
        (RAW, ("/raw", "PATCH"), {"data": b"\x00row"}, r"expected data b'.*row', got b'.*raw'", ["data"]),
        (RAW, ("/raw", "PATCH"), {"json": {}}, r"expected json \{\}, got", ["json"]),
        (GET, ("/users?page=2&tag=b&tag=a",), {"json": {}}, r"expected json \{\}, got no", ["json"]),
    ],
)
async def test_what_was_not_sent_fails_in_one_line(call, arguments, options, message, noted):
    path, *method = arguments
    m = await received(call)
    for fails in (m.assert_called_with, m.assert_called_once_with):
        with pytest.raises(AssertionError, match=message) as caught:
            fails(f"{API}{path}", *method, **options)
        assert "\n" not in str(caught.value)
        notes = "\n".join(getattr(caught.value, "__notes__", []))
        assert bool(notes) == bool(noted)
        assert [word for word in noted if word not in notes] == []


async def test_counting_calls():
    m = await received()
    m.assert_not_called()
    with pytest.raises(AssertionError, match="expected at least one request, got none"):
        m.assert_called()
    with pytest.raises(AssertionError, match="expected exactly one request, got none"):
        m.assert_called_once()

    m = await received(GET)
    with pytest.raises(AssertionError, match=r"expected no request, got 1: GET https://api.example.com/users\?page=2"):
        m.assert_not_called()

    m = await received(GET, POST)
    m.assert_called()
    with pytest.raises(
        AssertionError, match=r"expected exactly one request, got 2.*POST https://api.example.com/users"
    ):
        m.assert_called_once()
    with pytest.raises(AssertionError, match=r"expected exactly one request, got 2"):
        m.assert_called_once_with(f"{API}/users", "POST")


async def test_the_most_recent_call_to_the_url_is_the_one_compared():
    first, last = ("POST", "/users", {"json": 1}), ("POST", "/users", {"json": 2})
    m = await received(first, last, GET)
    m.assert_called_with(f"{API}/users", "POST", json=2)
    with pytest.raises(AssertionError, match="expected json 1, got 2"):
        m.assert_called_with(f"{API}/users", "POST", json=1)
    m.assert_any_call(f"{API}/users", "POST")
    m.assert_any_call(f"{API}{GET[1]}")


async def test_unmatched_requests_count():
    async with aiointercept(mock_external_urls=True) as m:
        with pytest.raises(aiohttp.ClientConnectionError):
            await fetch(f"{API}/nowhere")
        m.assert_called_once_with(f"{API}/nowhere")


async def test_a_failure_is_bounded_however_large_the_values_are():
    m = await received(("POST", "/users", {"json": {"items": ["x" * 50] * 5000}}))
    with pytest.raises(AssertionError) as caught:
        m.assert_called_with(f"{API}/users", "POST", json={"items": ["y" * 50] * 5000})
    (note,) = caught.value.__notes__
    assert len(str(caught.value)) < 1000
    assert len(note) < 3000
    assert "more" in note


async def test_strict_headers_compare_all_of_them():
    m = await received(POST)
    sent = m.last_request.headers
    m.assert_called_with(f"{API}/users", "POST", headers=sent, strict_headers=True)
