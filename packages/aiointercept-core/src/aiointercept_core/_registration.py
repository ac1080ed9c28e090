"""Registering: the signature of `add`, its checks, and the shortcuts per method."""

import difflib
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from yarl import URL

from ._headers import TOKEN
from ._matcher import build_matcher
from ._mock_response import MockResponse
from ._reply import BodySource
from ._template import ReplyTemplate, build_template
from ._wording import describe_value

if TYPE_CHECKING:
    from typing import Never, Unpack

__all__ = ["MethodShortcuts", "RegistrationOptions", "build_registration"]


class RegistrationOptions(TypedDict, total=False):
    """The keyword arguments of `add`, after the URL and the method."""

    status: int | None
    body: BodySource | None
    json: Any
    payload: Any
    headers: Mapping[str, str] | None
    repeat: bool | int
    content_type: str | None
    callback: Callable[..., Any] | None
    reason: str | None
    exception: BaseException | type[BaseException] | bool | None
    optional: bool


class MethodShortcuts:
    """`get`, `post` and the others: each calls `self.add` with its method, so that overriding `add` covers them."""

    @abstractmethod
    def add(
        self,
        url: str | URL | re.Pattern[str],
        method: str = "GET",
        status: int | None = 200,
        body: BodySource | None = b"",
        json: Any = None,
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool | int = False,
        content_type: str | None = None,
        callback: Callable[..., Any] | None = None,
        reason: str | None = None,
        exception: BaseException | type[BaseException] | bool | None = None,
        *,
        optional: bool = False,
        **unknown: "Never",
    ) -> MockResponse:
        """Register the reply to requests for `url` and return its handle."""

    def get(self, url: str | URL | re.Pattern[str], **options: "Unpack[RegistrationOptions]") -> MockResponse:
        """Register a reply to GET: `add(url, "GET", ...)`."""
        return self.add(url, "GET", **options)

    def post(self, url: str | URL | re.Pattern[str], **options: "Unpack[RegistrationOptions]") -> MockResponse:
        """Register a reply to POST: `add(url, "POST", ...)`."""
        return self.add(url, "POST", **options)

    def put(self, url: str | URL | re.Pattern[str], **options: "Unpack[RegistrationOptions]") -> MockResponse:
        """Register a reply to PUT: `add(url, "PUT", ...)`."""
        return self.add(url, "PUT", **options)

    def patch(self, url: str | URL | re.Pattern[str], **options: "Unpack[RegistrationOptions]") -> MockResponse:
        """Register a reply to PATCH: `add(url, "PATCH", ...)`."""
        return self.add(url, "PATCH", **options)

    def delete(self, url: str | URL | re.Pattern[str], **options: "Unpack[RegistrationOptions]") -> MockResponse:
        """Register a reply to DELETE: `add(url, "DELETE", ...)`."""
        return self.add(url, "DELETE", **options)

    def head(self, url: str | URL | re.Pattern[str], **options: "Unpack[RegistrationOptions]") -> MockResponse:
        """Register a reply to HEAD: `add(url, "HEAD", ...)`."""
        return self.add(url, "HEAD", **options)

    def options(self, url: str | URL | re.Pattern[str], **options: "Unpack[RegistrationOptions]") -> MockResponse:
        """Register a reply to OPTIONS: `add(url, "OPTIONS", ...)`."""
        return self.add(url, "OPTIONS", **options)


def build_registration(
    url: str | URL | re.Pattern[str],
    method: str,
    *,
    status: int | None,
    body: BodySource | None,
    json: Any,
    payload: Any,
    headers: Mapping[str, str] | None,
    repeat: bool | int,
    content_type: str | None,
    callback: Callable[..., Any] | None,
    reason: str | None,
    exception: BaseException | type[BaseException] | bool | None,
    optional: bool,
    unknown: Mapping[str, object],
    lenient: bool,
) -> MockResponse:
    """Check everything that `add` was given and return the registration."""
    _reject_unknown(unknown)
    method = _check_method(method)
    if json is not None and payload is not None:
        raise ValueError("json and payload are two names of one argument: expected one, got both; pass one of them")
    if callback is not None and not callable(callback):
        raise TypeError(
            f"callback: expected a function or coroutine function, got {describe_value(callback)}; pass it uncalled"
        )
    if exception is not None and not isinstance(exception, bool | BaseException) and not _is_exception_class(exception):
        raise TypeError(
            f"exception: expected True, an exception or an exception class, got {describe_value(exception)}; "
            "pass True to close the connection"
        )
    template = build_template(
        method=method,
        status=status,
        body=body,
        payload=payload if json is None else json,
        headers=headers,
        content_type=content_type,
        reason=reason,
        lenient=lenient,
    )
    count = _check_repeat(repeat)
    if count != 1 and isinstance(template, ReplyTemplate) and template.one_shot:
        raise ValueError(
            f"body: expected a body that can be sent again with repeat={repeat!r}, got the iterator {body!r}; "
            "pass the function that makes it, uncalled"
        )
    return MockResponse(
        method,
        build_matcher(url),
        template=template,
        callback=callback,
        exception=exception,
        repeat=count,
        optional=optional,
        lenient=lenient,
    )


def _reject_unknown(unknown: Mapping[str, object]) -> None:
    for name in unknown:
        known = list(RegistrationOptions.__annotations__)
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "remove it"
        raise TypeError(f"unknown keyword argument {name!r}: expected some of {', '.join(known)}; {hint}")


def _check_method(method: object) -> str:
    # Most methods are letters, which is found out faster than by the pattern.
    if not isinstance(method, str) or not ((method.isascii() and method.isalpha()) or TOKEN.fullmatch(method)):
        raise ValueError(
            f"method: expected an HTTP method as a str without spaces, got {describe_value(method)}; "
            "pass one such as 'GET'"
        )
    return method.upper()


def _check_repeat(repeat: object) -> int | None:
    """Return how many requests are answered, `None` for no end."""
    if repeat is True:
        return None
    if not isinstance(repeat, int):
        raise TypeError(
            f"repeat: expected True for ever, False for once or a number of times, got {describe_value(repeat)}; "
            "pass an int"
        )
    if repeat < 0:
        raise ValueError(f"repeat: expected a number of times of 0 (once) or more, got {repeat!r}; pass True for ever")
    return int(repeat) or 1


def _is_exception_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)
