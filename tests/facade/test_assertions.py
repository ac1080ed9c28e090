"""The `assert_*` family on a mock that has received real requests; how values are compared is asked of core."""

import re
from unittest.mock import ANY

import aiohttp
import pytest
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
        (GET, ("/users?tag=a&tag=b&page=2#top",), {}),
        (GET, ("/users?page=2", "get"), {"params": [("tag", "a"), ("tag", "b")]}),
        (POST, ("/users", "POST"), {"json": {"tags": [1, ANY], "name": "ann"}}),
        (POST, ("/users", "POST"), {"data": '{"name": "ann", "tags": [1, 2]}'}),
        (POST, ("/users", "POST"), {"headers": {"x-trace": "t", "X-Id": ANY}}),
        (FORM, ("/form", "PUT"), {"data": {"name": ANY, "n": 1}}),
        (RAW, ("/raw", "PATCH"), {"data": b"\x00raw"}),
    ],
)
async def test_a_call_that_was_made_passes(call, arguments, options):
    path, *method = arguments
    m = await received(call)
    m.assert_called()
    m.assert_called_once()
    m.assert_called_with(f"{API}{path}", *method, **options)
    m.assert_called_once_with(f"{API}{path}", *method, **options)
    m.assert_any_call(f"{API}{path}", *method, params=options.get("params"))
    with pytest.raises(AssertionError):
        m.assert_not_called()


@pytest.mark.parametrize(
    ("call", "arguments", "options", "message", "noted"),
    [
        (GET, ("/users",), {}, r"GET .*/users, got .*\?page=2.*query \(page, tag\)", []),
        (POST, ("/users", "GET"), {}, r"POST .*/users \(differs in method\)", []),
        (
            POST,
            ("/users", "POST"),
            {"json": {"name": "bob", "tags": [1, 2]}},
            "json",
            ["json['name']", "'bob'", "'ann'"],
        ),
        (
            POST,
            ("/users", "POST"),
            {"headers": {"X-Trace": "other"}},
            "headers",
            ["headers['X-Trace']", "'other'", "'t'"],
        ),
        (POST, ("/users", "POST"), {"headers": {"X-Id": "7"}, "strict_headers": True}, r"headers", ["X-Trace"]),
        (FORM, ("/form", "PUT"), {"data": {"name": "ann"}}, "data", ["data['n']", "'1'"]),
        (RAW, ("/raw", "PATCH"), {"data": b"\x00row"}, r"data b'.*row', got b'.*raw'", []),
    ],
)
async def test_another_call_fails_in_one_line(call, arguments, options, message, noted):
    path, *method = arguments
    m = await received(call)
    for fails in (m.assert_called_with, m.assert_called_once_with):
        with pytest.raises(AssertionError, match=message) as caught:
            fails(f"{API}{path}", *method, **options)
        assert "\n" not in str(caught.value)
        notes = "\n".join(getattr(caught.value, "__notes__", []))
        assert bool(notes) == bool(noted)
        assert [word for word in noted if word not in notes] == []


async def test_strict_headers_are_all_those_of_the_request():
    m = await received(POST)
    m.assert_called_with(f"{API}/users", "POST", headers=m.last_request.headers, strict_headers=True)


async def test_unmatched_requests_count():
    async with aiointercept(mock_external_urls=True) as m:
        with pytest.raises(aiohttp.ClientConnectionError):
            await fetch(f"{API}/nowhere")
        m.assert_called_once_with(f"{API}/nowhere")
