"""Warnings about registrations that cannot have the effect that the user expects."""

import inspect
import re
import warnings

from yarl import URL

from aiointercept_dns import Passthrough, is_ip_address, is_loopback

from ._core import caller, describe_value

__all__ = ["AiointerceptWarning", "warn_if_unreachable", "warn_of_exception"]

_HTTP = ("http", "ws")
_URL_STARTS = ("http://", "https://", "ws://", "wss://")
# The characters at the start of a pattern that match only themselves and cannot be left out.
_LITERAL_START = re.compile(r"(?:\^|\\A)?((?:(?:[^\\.^$*+?{}\[\]()|]|\\\W)(?![*?{]))*)")

# pytest shows the user's own line as the last one, also where warnings are errors.
__tracebackhide__ = True


class AiointerceptWarning(UserWarning):
    """A registration that can never answer, or an argument without the effect that its name suggests."""


def _warn(message: str) -> None:
    """Warn at the line of the user's code that has called into these packages."""
    _, own_frames = caller(inspect.currentframe())
    warnings.warn(message, AiointerceptWarning, stacklevel=own_frames + 1)


def warn_of_exception(exception: object, *, can_be_fault: bool) -> None:
    """Warn of an exception that was passed as `exception=`, which does not raise it."""
    name = exception.__name__ if isinstance(exception, type) else repr(exception)
    condition = "" if can_be_fault else ", which needs mock_external_urls=True"
    _warn(
        f"exception={name} closes the connection, and the caller gets a ClientConnectionError: write "
        f"exception=True, or fault={name} to raise the exception itself{condition}"
    )


def warn_if_unreachable(
    given: str | URL | re.Pattern[str],
    url: URL | None,
    address: tuple[str, int],
    passthrough: Passthrough | None,
    *,
    mock_ip_addresses: bool,
) -> None:
    """Warn of a registration for `given` whose requests cannot reach the mock, which listens on `address`.

    `url` is `given` normalised, `None` for a pattern; `passthrough` is `None` in the default mode.
    """
    if isinstance(given, re.Pattern):
        url = _url_of_pattern(given, any_host=passthrough is None)
    if url is None or (url.scheme == "http" and (url.raw_host, url.port) == address):
        return
    if passthrough is None:
        if not (url.scheme in _HTTP and is_loopback(url.raw_host or "") and url.port == address[1]):
            _warn_if_not_redirected(given, url, address)
    elif passthrough.matches(url):
        _warn(
            f"requests for {_name(given, url)} will not reach the mock, because passthrough sends them to the real "
            "network: remove the entry, or do not register a reply"
        )
    elif is_ip_address(url.raw_host or "") and not mock_ip_addresses:
        _warn(
            f"requests for {_name(given, url)} will not reach the mock, because bare IP addresses are not redirected: "
            "use a host name, server_url or mock_ip_addresses=True"
        )


def _warn_if_not_redirected(given: str | URL | re.Pattern[str], url: URL, address: tuple[str, int]) -> None:
    name = _name(given, url)
    # A WebSocket client wants the scheme ws.
    scheme = "ws" if name.startswith("ws") else "http"
    origin = "{}://{}:{}".format(scheme, *address)
    instead = f"a pattern for {origin}" if isinstance(given, re.Pattern) else f"{origin}{url.raw_path_qs}"
    _warn(
        f"requests for {name} will not reach the mock, because nothing is redirected without mock_external_urls=True: "
        f"pass it, or register {instead} and send the requests there"
    )


def _name(given: str | URL | re.Pattern[str], url: URL) -> str:
    """Return what was registered as it was written, with the query that `params` has added."""
    if isinstance(given, re.Pattern):
        return f"pattern {describe_value(given.pattern)}"
    return str(url.with_scheme(URL(given).scheme))


def _url_of_pattern(pattern: re.Pattern[str], *, any_host: bool) -> URL | None:
    """Return a URL with the origin of all URLs that `pattern` matches, `None` if that is not certain.

    With `any_host` the scheme https is enough. Warns of a pattern that matches no URL.
    """
    literal = _LITERAL_START.match(pattern.pattern)
    if literal is None or not literal[1] or "|" in pattern.pattern or pattern.flags & re.VERBOSE:
        return None
    start = re.sub(r"\\(\W)", r"\1", literal[1])
    if pattern.flags & re.IGNORECASE:
        start = start.lower()
    if not any(start.startswith(scheme) or scheme.startswith(start) for scheme in _URL_STARTS):
        _warn(
            f"pattern {describe_value(pattern.pattern)} matches no URL: patterns are matched from the start of the "
            r"whole URL, for example r'https://api\.example\.com/users'"
        )
        return None
    origin = re.match(r"\w+://[^/?#]+(?=[/?#])", start)
    if origin is not None:
        try:
            return URL(origin[0])
        except ValueError:
            return None
    return URL("https://example.com/") if any_host and start.startswith(("https:", "wss:")) else None
