"""A registration that can never answer warns at its own line; a request that is let out is logged once."""

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
