"""Assertions on the requests that were received.

The message of a failure is one line. The places that differ are in a note on it, which is short even for large values
and does not repeat the message.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Generic, TypeVar

from yarl import URL, Query

from ._arguments import check_method, without_class_names
from ._comparison import JSON, Data, Headers, ValueMatcher
from ._format import count_of, describe_key, describe_value, list_of
from ._journal import Journal, RequestLog
from ._matchers import ExactURL, build_matcher, describe_differences, key_differences
from ._request import Request
from ._similarity import nearest
from ._urls import Key

__all__ = ["CallAssertions"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

R = TypeVar("R", bound=Request)

# How many distinct requests, the most recent ones, are compared with one that is missing.
_SEARCHED = 1000
_NAMED = 3
_NOTED = 10
_LISTED = 50


@without_class_names
class CallAssertions(Generic[R]):
    """Access to recorded requests and assertions on them, for classes with a `journal`."""

    @property
    @abstractmethod
    def journal(self) -> Journal[R]:
        """The recorded requests."""

    @property
    def requests(self) -> RequestLog[R]:
        """The recorded requests by `(METHOD, normalised URL)`, unmatched ones included."""
        return self.journal.requests

    @property
    def ordered_requests(self) -> list[tuple[Key, R]]:
        """All recorded requests with their keys, in the order in which they were matched."""
        return [(record.key, record.request) for record in list(self.journal.records)]

    @property
    def call_count(self) -> int:
        """The number of recorded requests."""
        return len(self.journal.records)

    @property
    def last_request(self) -> R | Any:
        """The most recent request, `None` before the first; type checkers let its attributes be used without a test."""
        records = self.journal.records
        return records[-1].request if records else None

    def assert_called(self) -> None:
        """Raise `AssertionError` if no request was received."""
        if not self.journal.records:
            raise AssertionError("expected at least one request, got none")

    def assert_not_called(self) -> None:
        """Raise `AssertionError` if a request was received."""
        if self.journal.records:
            raise AssertionError(f"expected no request, got {self._received()}")

    def assert_called_once(self) -> None:
        """Raise `AssertionError` unless exactly one request was received."""
        if len(self.journal.records) != 1:
            raise AssertionError(f"expected exactly one request, got {self._received()}")

    def assert_all_matched(self) -> None:
        """Raise `AssertionError` if no route had a reply for some request."""
        unmatched = [record for record in list(self.journal.records) if record.unmatched]
        if unmatched:
            error = AssertionError(
                f"expected every request to match a route, {len(unmatched)} did not: {unmatched[0].explanation}"
            )
            for record in unmatched[1:_NOTED]:
                error.add_note(str(record.explanation))
            raise error

    def assert_any_call(
        self,
        url: str | URL,
        method: str = "GET",
        params: Query = None,
        data: Any = None,
        json: Any = None,
        headers: Mapping[str, Any] | None = None,
        strict_headers: bool = False,
    ) -> None:
        """Raise `AssertionError` unless some request for `url` was sent with these values; see `assert_called_with`."""
        key, calls = self._calls(url, method, params)
        matchers = _matchers(data, json, headers, strict_headers)
        if not matchers:
            return

        def differing(request: Request) -> list[ValueMatcher]:
            return [matcher for matcher in matchers if any(True for _ in matcher.differences(request))]

        # The most recent ones are compared: in the nearest the fewest values differ, and those in the fewest places.
        compared = [(differing(request), request) for request in calls[: -_SEARCHED - 1 : -1]]
        if all(wrong for wrong, _ in compared):
            wrong, nearest_call = min(compared, key=lambda pair: (len(pair[0]), _places(*pair)))
            name = describe_key(key) if len(calls) == 1 else f"{describe_key(key)}, the nearest of {len(calls)}"
            raise _mismatch(name, nearest_call, wrong)

    def assert_has_calls(self, calls: Iterable[tuple[str, str | URL]], any_order: bool = False) -> None:
        """Raise `AssertionError` unless these requests, pairs of method and URL, were received in this order.

        Other requests may lie between them. With `any_order` only their numbers count.
        """
        expected = _call_keys(calls)
        received = [record.key for record in list(self.journal.records)]
        if any_order:
            left = Counter(received)
            left.subtract(expected)
            missing = [key for key in expected if left[key] < 0]
        else:
            rest = iter(received)
            missing = [key for key in expected if key not in rest]
        if not missing:
            return
        order = "" if any_order else " in this order"
        name = describe_key(missing[0])
        error = AssertionError(f"expected {count_of(len(expected), 'request')}{order}, {name} is missing")
        more = [f"... and {len(received) - _LISTED} more"] if len(received) > _LISTED else []
        error.add_note("\n".join(["received, in this order:", *map(describe_key, received[:_LISTED]), *more]))
        raise error

    def assert_called_with(
        self,
        url: str | URL,
        method: str = "GET",
        params: Query = None,
        data: Any = None,
        json: Any = None,
        headers: Mapping[str, Any] | None = None,
        strict_headers: bool = False,
    ) -> None:
        """Raise `AssertionError` unless the most recent request for `url` was sent with these values.

        `params` are added to the query of `url`. `data` is the body as bytes or str, or a dict of form fields; `json`
        is the value of a JSON body; `headers` must have been sent, and no others if `strict_headers`. Arguments that
        are `None` are not compared; `unittest.mock.ANY` equals any value, also that of a request without a body.
        """
        key, calls = self._calls(url, method, params)
        request = calls[-1]
        for matcher in _matchers(data, json, headers, strict_headers):
            if any(True for _ in matcher.differences(request)):
                name = describe_key(key) if len(calls) == 1 else f"{describe_key(key)}, the last of {len(calls)}"
                raise _mismatch(name, request, [matcher])

    def assert_called_once_with(
        self,
        url: str | URL,
        method: str = "GET",
        params: Query = None,
        data: Any = None,
        json: Any = None,
        headers: Mapping[str, Any] | None = None,
        strict_headers: bool = False,
    ) -> None:
        """Raise `AssertionError` unless one request was received, which passes `assert_called_with`."""
        self.assert_called_once()
        self.assert_called_with(url, method, params, data, json, headers, strict_headers)

    def _calls(self, url: str | URL, method: str, params: Query) -> tuple[Key, list[R]]:
        key = _key(method, url, params)
        calls = self.journal.requests.get(key)
        if calls:
            return key, calls
        message = f"expected a request {describe_key(key)}, got "
        keys = list(self.journal.requests)
        if not keys:
            raise AssertionError(f"{message}none")
        near = nearest(key, keys[: -_SEARCHED - 1 : -1], _NAMED)
        named = (f"{describe_key(other)} ({describe_differences(key_differences(key, other))})" for other in near)
        raise AssertionError(f"{message}{count_of(self.call_count, 'other')}; nearest: {'; '.join(named)}")

    def _received(self) -> str:
        records = list(self.journal.records)
        if not records:
            return "none"
        named = list_of([describe_key(record.key) for record in records[:_NAMED]], len(records))
        return f"{len(records)}: {named}"


def _matchers(data: Any, json: Any, headers: Mapping[str, Any] | None, strict_headers: bool) -> list[ValueMatcher]:
    matchers: list[ValueMatcher] = []
    if json is not None:
        matchers.append(JSON(json))
    if data is not None:
        matchers.append(Data(data))
    if headers is not None:
        matchers.append(Headers(headers, strict=strict_headers))
    return matchers


def _places(matchers: Sequence[ValueMatcher], request: Request) -> int:
    """Return in how many places `request` differs, up to a limit; a whole value counts for more than the limit."""
    total = 0
    for matcher in matchers:
        places = [difference.what for difference in islice(matcher.differences(request), _NOTED)]
        total += _NOTED + 1 if places == [matcher.what] else len(places)
    return total


def _call_keys(calls: object) -> list[Key]:
    if not isinstance(calls, Iterable) or isinstance(calls, str | bytes):
        calls = [calls]
    return [_call_key(call) for call in calls]


def _call_key(call: object) -> Key:
    if not isinstance(call, tuple) or len(call) != 2 or not isinstance(call[0], str):
        raise TypeError(f"calls must be pairs of a method and a URL, got {describe_value(call)}; write [('GET', url)]")
    method, url = call
    return _key(method, url)


def _key(method: str, url: object, params: Query = None) -> Key:
    """Return the key of an expected request; raise `TypeError` or `ValueError` if there can be no such request."""
    method = check_method(method)
    if isinstance(url, str | URL) and isinstance(matcher := build_matcher(url, params), ExactURL):
        return method, matcher.url
    raise TypeError(f"url must be a str or a yarl.URL, got {describe_value(url)}; for a pattern, look in m.requests")


def _mismatch(name: str, request: Request, matchers: Sequence[ValueMatcher]) -> AssertionError:
    """Return the error for a request that differs from `matchers`, with the places that differ in a note."""
    matcher = matchers[0]
    differences = chain.from_iterable(matcher.differences(request) for matcher in matchers)
    lines = [f"{what}: {detail}" for what, detail in islice(differences, _NOTED + 1)]
    if len(lines) > _NOTED:
        lines[_NOTED:] = ["... and more"]
    expected, actual = map(describe_value, matcher.values(request))
    # If a value is too large to be shown completely, the first place that differs says more.
    is_shortened = "..." in expected or "..." in actual
    line = lines[0] if is_shortened else f"{matcher.what}: expected {expected}, got {actual}"
    message = line if is_shortened else f"expected {matcher.what} {expected}, got {actual}"
    error = AssertionError(f"{name}: {message}")
    if places := [other for other in lines if other != line]:
        error.add_note("\n".join(places))
    return error
