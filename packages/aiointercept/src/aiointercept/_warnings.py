"""Warnings about registrations that cannot have the effect that the user expects."""

import inspect
import warnings

from yarl import URL

from aiointercept_core._user_code import caller
from aiointercept_dns import Passthrough, is_ip_address, is_loopback

__all__ = ["AiointerceptWarning", "warn_if_let_out", "warn_if_not_redirected", "warn_user"]

# pytest shows the user's own line as the last one, also where warnings are errors.
__tracebackhide__ = True


class AiointerceptWarning(UserWarning):
    """A registration that can never answer, or an argument without the effect that its name suggests."""


def warn_user(message: str) -> None:
    """Warn at the line of the user's code that has called into these packages."""
    _, own_frames = caller(inspect.currentframe())
    warnings.warn(message, AiointerceptWarning, stacklevel=own_frames + 1)


def warn_if_not_redirected(url: URL, server_url: str) -> None:
    """Warn of a registration for `url` in the default mode, where only requests to `server_url` reach the mock."""
    if not (url.scheme == "http" and is_loopback(url.raw_host or "") and url.port == URL(server_url).port):
        warn_user(
            f"requests for {url} will not reach the mock, because nothing is redirected without "
            f"mock_external_urls=True: pass it, or register {server_url}{url.raw_path} and send the requests there"
        )


def warn_if_let_out(url: URL, passthrough: Passthrough, *, mock_ip_addresses: bool) -> None:
    """Warn of a registration for `url` in a mock that redirects requests, but not these."""
    if passthrough.matches(url):
        warn_user(
            f"requests for {url} will not reach the mock, because passthrough lets them out: remove the entry, or "
            "do not register a reply"
        )
    elif is_ip_address(url.raw_host or "") and not mock_ip_addresses:
        warn_user(
            f"requests for {url} will not reach the mock, because bare IP addresses are not redirected: use a host "
            "name, server_url or mock_ip_addresses=True"
        )
