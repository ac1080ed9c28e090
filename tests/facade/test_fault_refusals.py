"""Faults that cannot happen in the mode of a mock are refused where they are registered, with what to write instead."""

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
NAMES = "DISCONNECT, RESET, MALFORMED, TRUNCATED, RESET_IN_BODY, CORRUPT_ENCODING, HANG"


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
def test_other_types_are_no_faults(external: bool):
    assert refusal("server_url", TypeError, external=external, fault="reset").startswith("fault must be a Fault, ")


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("value", [StopIteration, StopIteration("mine")], ids=repr)
def test_a_stop_iteration_reaches_no_caller(external: bool, value: object):
    assert refusal("server_url", ValueError, external=external, fault=value) == (
        "fault: no coroutine can raise StopIteration, Python makes a RuntimeError of it; pass another exception"
    )


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
