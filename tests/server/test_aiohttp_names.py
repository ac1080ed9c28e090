"""The names that the server uses although aiohttp does not promise them: a test fails for each one that is gone."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from aiointercept_server._application import _aiointercept_request
from aiointercept_server._protocol import Server


async def answer_nothing(request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError


@pytest.mark.parametrize("name", ["_message", "_match_info", "_payload"])
async def test_request(name: str):
    request = make_mocked_request("GET", "/")
    assert hasattr(request, name)


@pytest.mark.parametrize("name", ["_messages"])
async def test_request_handler(name: str):
    connection = Server(answer_nothing, ("http", "api.example"))()
    assert hasattr(connection, name)


async def test_without_the_message_the_error_names_it():
    request = make_mocked_request("GET", "/")
    del request._message
    with pytest.raises(RuntimeError, match=r"^application\(\) cannot be used with aiohttp .*lacks Request._message"):
        _aiointercept_request(request)
