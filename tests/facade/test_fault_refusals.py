"""Faults and delays that cannot happen are refused where they are registered, with what to write instead."""

import re
import warnings

import aiohttp
import pytest
from aiohttp import ClientSession

from aiointercept import AiointerceptWarning, Fault, aiointercept

HTTP = "http://api.example/"
HTTPS = "https://api.example/"
SHOWN = [fault for fault in Fault if fault.is_sent_by_server]
CLIENT_ONLY = [fault for fault in Fault if not fault.is_sent_by_server]
WITH_BODY = [fault for fault in Fault if fault.has_body]
BODILESS = [fault for fault in Fault if not fault.has_body]
NAMES = "DISCONNECT, RESET, MALFORMED, TRUNCATED, RESET_IN_BODY, CORRUPT_ENCODING, HANG"


async def chunks():
    yield b"body"


def body():
    return b"body"


def callback(url):
    raise NotImplementedError


def refusal(url: str | re.Pattern[str], error: type[Exception], *, external: bool = True, **options) -> str:
    """Return the text of the error that `add` raises; nothing is registered."""
    with aiointercept(mock_external_urls=external) as m:
        with pytest.raises(error) as caught:
            m.add(m.server_url if url == "server_url" else url, **options)
        assert not m.routes
    assert type(caught.value) is error
    return str(caught.value)


# The mode and the scheme.


@pytest.mark.parametrize("fault", CLIENT_ONLY, ids=str)
def test_without_redirection_no_client_can_raise_a_fault(fault: Fault):
    assert refusal("server_url", ValueError, external=False, fault=fault) == (
        f"fault={fault} needs mock_external_urls=True, because no server can show it; without that, fault must be one "
        f"of {NAMES}"
    )


@pytest.mark.parametrize("fault", [TimeoutError("mine"), TimeoutError, KeyboardInterrupt], ids=repr)
def test_without_redirection_no_client_can_raise_an_exception(fault: BaseException | type[BaseException]):
    assert refusal("server_url", ValueError, external=False, fault=fault) == (
        "an exception as fault needs mock_external_urls=True, because no server can show it; without that, fault must "
        f"be one of {NAMES}"
    )


@pytest.mark.parametrize("fault", SHOWN, ids=str)
@pytest.mark.parametrize("external", [False, True])
def test_both_modes_have_the_other_faults(fault: Fault, external: bool):
    with aiointercept(mock_external_urls=external) as m:
        m.get(HTTP if external else m.server_url, fault=fault, body="body" if fault.has_body else b"")


@pytest.mark.parametrize("fault", [Fault.CERTIFICATE, Fault.TLS], ids=str)
def test_only_https_urls_have_tls(fault: Fault):
    for url in (HTTP, "ws://api.example/", "server_url"):
        assert f"fault={fault} needs an https URL, got 'http://" in refusal(url, ValueError, fault=fault)
    with aiointercept(mock_external_urls=True) as m:
        for url in (HTTPS, "wss://api.example/ws", re.compile("https?://api")):
            m.get(url, fault=fault)


# The other arguments.


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("value", ["reset", "RESET", 7, True, False, int, Fault, [Fault.RESET], object], ids=repr)
def test_other_types_are_no_faults(external: bool, value: object):
    assert refusal("server_url", TypeError, external=external, fault=value) == (
        f"fault must be a Fault, an exception or an exception class, got {value!r}; for example fault=Fault.RESET"
    )


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("value", [StopIteration, StopIteration("mine")], ids=repr)
def test_a_stop_iteration_reaches_no_caller(external: bool, value: object):
    assert refusal("server_url", ValueError, external=external, fault=value) == (
        "fault: no coroutine can raise StopIteration, Python makes a RuntimeError of it; pass another exception"
    )


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.TLS, ValueError("mine")], ids=str)
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"callback": callback}, "callback"),
        ({"exception": True}, "exception"),
        ({"exception": ValueError}, "exception"),
        ({"exception": True, "callback": callback}, "callback"),
    ],
)
def test_two_behaviours_contradict_each_other(fault: Fault, options: dict[str, object], name: str):
    message = refusal(HTTPS, ValueError, fault=fault, **options)
    assert message == f"fault and {name} contradict each other: pass one of them"


RESPONSES = [
    ({"status": 503}, "status", "503"),
    ({"body": "text"}, "body", "'text'"),
    ({"body": body}, "body", "<function body at"),
    ({"payload": {"a": 1}}, "payload", "{'a': 1}"),
    ({"json": []}, "json", "[]"),
    ({"headers": {"X-A": "1"}}, "headers", "{'X-A': '1'}"),
    ({"content_type": "text/html"}, "content_type", "'text/html'"),
    ({"reason": "Gone"}, "reason", "'Gone'"),
]
RESPONSE_IDS = [f"{name} {number}" for number, (_, name, _) in enumerate(RESPONSES)]


@pytest.mark.parametrize("fault", [*BODILESS, ValueError("mine"), ValueError], ids=str)
@pytest.mark.parametrize(
    ("options", "name", "value"),
    RESPONSES,
    ids=RESPONSE_IDS,
)
def test_nothing_of_a_response_is_given_for_a_fault_that_sends_none(
    fault: object, options: dict[str, object], name: str, value: str
):
    message = refusal(HTTPS, ValueError, fault=fault, **options)
    fault_name = f"fault={fault}" if isinstance(fault, Fault) else "an exception as fault"
    assert message.startswith(f"{fault_name} sends no response: leave {name} out, got {value}")


@pytest.mark.parametrize("fault", WITH_BODY, ids=str)
@pytest.mark.parametrize("value", [chunks, body])
def test_a_body_that_is_made_later_has_no_half(fault: Fault, value: object):
    assert refusal(HTTPS, TypeError, fault=fault, body=value) == (
        f"fault={fault} sends a part of the body: pass a str, bytes or payload=, not a stream or a function"
    )


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.RESET_IN_BODY], ids=str)
@pytest.mark.parametrize("options", [{}, {"body": b""}, {"status": 500}])
def test_half_of_nothing_cannot_be_sent(fault: Fault, options: dict[str, object]):
    assert refusal(HTTPS, ValueError, fault=fault, **options) == (
        f"fault={fault} sends the first half of the body: pass it with body= or payload="
    )


@pytest.mark.parametrize("fault", WITH_BODY, ids=str)
@pytest.mark.parametrize("options", [{"method": "HEAD"}, {"method": "head"}, {"status": 204}, {"status": 304}])
def test_a_reply_without_a_body_has_no_fault_in_it(fault: Fault, options: dict[str, object]):
    assert refusal(HTTPS, ValueError, fault=fault, body=b"body", **options) == (
        f"fault={fault} sends a part of the body, and a reply to HEAD or with status 204 or 304 has none"
    )


@pytest.mark.parametrize("fault", WITH_BODY, ids=str)
def test_what_is_sent_is_checked_as_without_a_fault(fault: Fault):
    message = refusal(HTTPS, ValueError, fault=fault, body=b"body", headers={"Content-Length": "9"})
    assert message.startswith("headers: Content-Length must be 4, the length of the body, got '9'")
    assert refusal(HTTPS, ValueError, fault=fault, body=b"body", status=99).startswith("status must be")


# Delays.


@pytest.mark.parametrize("value", ["1", None, True, False, [1], 1j, object], ids=repr)
def test_a_delay_is_a_number(value: object):
    assert refusal(HTTPS, TypeError, delay=value) == (
        f"delay must be a number of seconds, got {value!r}; for example delay=0.2"
    )


@pytest.mark.parametrize("value", [-1, -0.001, float("nan"), float("inf"), -float("inf")], ids=repr)
def test_a_delay_is_finite_and_not_negative(value: float):
    assert refusal(HTTPS, ValueError, delay=value) == (
        f"delay must be a finite number of seconds that is not negative, got {value!r}"
    )


def test_a_number_that_is_too_large_for_a_float_is_no_delay():
    assert refusal(HTTPS, ValueError, delay=10**400).startswith("delay must be a finite number of seconds")


# `exception=`.


@pytest.mark.parametrize(
    ("exception", "name"),
    [
        (ValueError, "ValueError"),
        (ValueError("{mine}"), "ValueError('{mine}')"),
        (aiohttp.ServerTimeoutError, "ServerTimeoutError"),
    ],
)
@pytest.mark.parametrize("external", [False, True])
async def test_an_exception_closes_the_connection_and_a_warning_names_fault(
    external: bool, exception: object, name: str
):
    async with aiointercept(mock_external_urls=external) as m, ClientSession() as session:
        url = HTTPS if external else m.server_url
        with pytest.warns(AiointerceptWarning) as warned:
            m.get(url, exception=exception)
        (warning,) = warned
        assert str(warning.message) == (
            f"exception={name} closes the connection, and the caller gets a ClientConnectionError: write "
            f"exception=True, or fault={name} to raise the exception itself"
            f"{'' if external else ', which needs mock_external_urls=True'}"
        )
        assert warning.filename == __file__
        with open(warning.filename) as source:
            assert "m.get(url, exception=exception)" in source.readlines()[warning.lineno - 1]
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(url)
        assert m.call_count == 1


def test_nothing_else_warns():
    with warnings.catch_warnings(), aiointercept(mock_external_urls=True) as m:
        warnings.simplefilter("error")
        for exception in (True, False, None):
            m.get(HTTPS, exception=exception)
        m.get(HTTPS, fault=ValueError("mine"))
        m.get(HTTPS, fault=Fault.RESET, exception=False)
