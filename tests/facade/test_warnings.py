"""A registration that can never answer warns at its own line; a request that is not redirected is logged once."""

import inspect
import re
import warnings

import pytest
from support import fetch, real_server

from aiointercept import AiointerceptWarning, aiointercept


@pytest.mark.parametrize("name", ["get", "add"])
@pytest.mark.parametrize(
    ("options", "url", "cure"),
    [
        ({}, "https://api.example.com/x", "mock_external_urls=True"),
        ({}, "https://127.0.0.1:{port}/x", "mock_external_urls=True"),
        ({}, "http://localhost:1/x", "mock_external_urls=True"),
        ({"mock_external_urls": True, "passthrough": ["api.example.com"]}, "https://api.example.com/x", "passthrough"),
        ({"mock_external_urls": True}, "http://192.0.2.1/x", "mock_ip_addresses=True"),
    ],
)
def test_each_warning_is_at_the_line_of_the_registration(options, url, cure, name):
    with aiointercept(**options) as m:
        line = inspect.currentframe().f_lineno + 2
        with pytest.warns(AiointerceptWarning, match=cure) as caught:
            getattr(m, name)(url.format(port=m.server_port))
        assert [(warning.filename, warning.lineno) for warning in caught] == [(__file__, line)]
        assert len(m.routes) == 1


@pytest.mark.parametrize("url", ["http://localhost:{port}/", "http://127.0.0.1:{port}/", "ws://localhost:{port}/ws"])
def test_the_mocks_own_port_does_not_warn(url):
    with aiointercept() as m:
        m.get(url.format(port=m.server_port))


@pytest.mark.parametrize(
    ("url", "options", "told", "instead"),
    [
        ("https://api.example.com/a?q=1", {}, "https://api.example.com/a?q=1", "http://127.0.0.1:{port}/a?q=1"),
        ("https://api.example.com/a", {"params": {"q": 1}}, "https://api.example.com/a?q=1", "{port}/a?q=1"),
        ("wss://api.example.com/ws?q=1", {}, "wss://api.example.com/ws?q=1", "ws://127.0.0.1:{port}/ws?q=1"),
        (re.compile(r"https://api\.example\.com/\d"), {}, "pattern 'https:", "a pattern for http://127.0.0.1:{port}"),
    ],
)
def test_the_default_mode_tells_the_url_as_written_and_what_to_register_instead(url, options, told, instead):
    with aiointercept() as m:
        with pytest.warns(AiointerceptWarning) as caught:
            m.get(url, **options)
        (message,) = (str(warning.message) for warning in caught)
        assert message.startswith(f"requests for {told}")
        assert f"{instead.format(port=m.server_port)} and send" in message


NO_URL = "matches no URL: patterns are matched from the start of the whole URL"


@pytest.mark.parametrize(
    ("options", "pattern", "message"),
    [
        ({}, "/users", NO_URL),
        ({"mock_external_urls": True}, r"^/users/\d+", NO_URL),
        ({"mock_external_urls": True}, r"api\.example\.com", NO_URL),
        ({"mock_external_urls": True}, "HTTPS://api", NO_URL),
        ({}, "https://api.example.com/.*", "mock_external_urls=True"),
        ({}, r"http://api\.example\.com/\d+", "mock_external_urls=True"),
        ({}, r"http://localhost:1/", "mock_external_urls=True"),
        ({"mock_external_urls": True, "passthrough": ["h.test"]}, r"^https://h\.test/\d+", "passthrough sends them to"),
        ({"mock_external_urls": True}, r"http://192\.0\.2\.1/", "mock_ip_addresses=True"),
    ],
)
def test_a_pattern_that_can_never_match_warns(options, pattern, message):
    with aiointercept(**options) as m, pytest.warns(AiointerceptWarning, match=re.escape(message)):
        m.get(re.compile(pattern))


@pytest.mark.parametrize(
    ("options", "pattern", "flags"),
    [
        ({}, ".*/users", 0),
        ({}, r"http://localhost:\d+/", 0),
        ({}, "http://api.example.com", 0),
        ({}, "/users|.*", 0),
        ({}, "/?http://", 0),
        ({}, r"(?=http)", 0),
        ({}, "{server}/users/", 0),
        ({"mock_external_urls": True}, "{server}/users/", 0),
        ({"mock_external_urls": True}, "HTTPS://api", re.IGNORECASE),
        ({"mock_external_urls": True}, " https://api", re.VERBOSE),
        ({"mock_external_urls": True, "passthrough": ["h.test"]}, r"https://h\.test", 0),
        ({"mock_external_urls": True, "mock_ip_addresses": True}, r"http://192\.0\.2\.1/", 0),
    ],
)
def test_a_pattern_that_may_match_does_not_warn(options, pattern, flags):
    with aiointercept(**options) as m:
        m.get(re.compile(pattern.replace("{server}", re.escape(m.server_url)), flags))


def test_a_registration_whose_warning_is_an_error_is_not_kept():
    with aiointercept() as m, warnings.catch_warnings():
        warnings.simplefilter("error", AiointerceptWarning)
        for register in (
            lambda: m.get("https://api.example.com/"),
            lambda: m.get(m.server_url, exception=ValueError),
            lambda: m.get(re.compile("/users")),
        ):
            with pytest.raises(AiointerceptWarning):
                register()
        assert m.routes == []


def test_the_category_can_be_filtered():
    with aiointercept() as m, warnings.catch_warnings():
        warnings.simplefilter("ignore", AiointerceptWarning)
        m.get("https://api.example.com/")


async def test_a_request_that_a_pattern_matches_and_is_let_out_is_logged_once(caplog):
    async with real_server() as server, aiointercept(mock_external_urls=True) as m:
        m.get(re.compile(r"http://localhost:\d+/.*"))
        for _ in range(2):
            assert (await fetch(f"{server.url}/bucket")).text == "real GET /bucket"
        assert caplog.text.count("is not redirected, although a pattern matches its URL") == 1
