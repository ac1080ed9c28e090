"""The `assert_*` family: what a test says about the requests that were received.

A failure is one line; what differs is a note on it, bounded however large the values are.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Generic, TypeVar

from yarl import URL, Query

from ._comparison import Absent, comparable_data, comparable_headers, comparable_json
from ._journal import Journal, RequestLog
from ._nearness import difference, nearest
from ._request import Request
from ._url import Key, normalize_url
from ._value_difference import value_differences
from ._wording import count_of, describe_key, describe_value

__all__ = ["CallAssertions"]

R = TypeVar("R", bound=Request)

# To name the calls nearest to one that is missing, so many distinct ones are searched, the most recent first, and so
# many compared in detail.
_SEARCHED = 2000
_CANDIDATES = 30
_NAMED = 3
_NOTED = 10


class CallAssertions(Generic[R]):
    """Recorded requests and assertions on them, for whatever has a `journal`."""

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
        """All recorded requests with their keys, in the order in which their replies were chosen."""
        return [(record.key, record.request) for record in list(self.journal.records)]

    @property
    def call_count(self) -> int:
        """The number of recorded requests."""
        return len(self.journal.records)

    @property
    def last_request(self) -> R | None:
        """The most recent request, `None` before the first."""
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
        """Raise `AssertionError` if a request was received that nothing registered matched."""
        missed = [record for record in list(self.journal.records) if record.missed]
        if missed:
            error = AssertionError(
                f"expected every request to match a registration, {len(missed)} did not: {missed[0].explanation}"
            )
            for record in missed[1:_NOTED]:
                error.add_note(str(record.explanation))
            raise error

    def assert_any_call(self, url: str | URL, method: str = "GET", params: Query = None) -> None:
        """Raise `AssertionError` unless a request for `url`, with `params` added to its query, was received."""
        self._calls(url, method, params)

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
        """Raise `AssertionError` unless the most recent request for `url` was sent with what is given.

        `data` is the body as bytes or str, or a dict of form fields; `json` the value that the body holds as JSON;
        `headers` must all be there, and no others if `strict_headers`. `unittest.mock.ANY` stands for any value.
        `None` is not compared.
        """
        key, calls = self._calls(url, method, params)
        request = calls[-1]
        if json is not None:
            _compare(key, len(calls), "json", *comparable_json(json, request))
        if data is not None:
            _compare(key, len(calls), "data", *comparable_data(data, request))
        if headers is not None:
            _compare(key, len(calls), "headers", *comparable_headers(headers, request, strict=strict_headers))

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
        """Raise `AssertionError` unless exactly one request was received, and it is as `assert_called_with` says."""
        self.assert_called_once()
        self.assert_called_with(url, method, params, data, json, headers, strict_headers)

    def _calls(self, url: str | URL, method: str, params: Query) -> tuple[Key, list[R]]:
        target = normalize_url(url)
        if params:
            target = normalize_url(target.extend_query(params))
        key = (method.upper(), target)
        # The key is in normal form already.
        calls = dict.get(self.journal.requests, key)
        if calls:
            return key, calls
        message = f"expected a request {describe_key(key)}, got "
        keys = list(self.journal.requests)
        if not keys:
            raise AssertionError(f"{message}none at all")
        near = nearest(key, _candidates(key, keys[: -_SEARCHED - 1 : -1]))
        named = "; ".join(f"{describe_key(other)} (differs in {difference(key, other)})" for other in near)
        raise AssertionError(f"{message}{count_of(self.call_count, 'other')}; nearest: {named}")

    def _received(self) -> str:
        records = list(self.journal.records)
        if not records:
            return "none"
        named = "; ".join(describe_key(record.key) for record in records[:_NAMED])
        more = f"; and {len(records) - _NAMED} more" if len(records) > _NAMED else ""
        return f"{len(records)}: {named}{more}"


def _candidates(key: Key, recent: list[Key]) -> Iterable[Key]:
    """Return the few of `recent` at which to look closely: the first, and those with the path of `key`."""
    path = key[1].raw_path
    same_path = [other for other in recent if other[1].raw_path == path]
    return dict.fromkeys([*same_path[:_CANDIDATES], *recent[:_CANDIDATES]])


def _compare(key: Key, calls: int, what: str, expected: Any, actual: Any) -> None:
    """Raise `AssertionError` where `actual`, sent by the last of so many `calls` for `key`, is not as expected."""
    # The expected value comes first, so that the `__eq__` of unittest.mock.ANY and its kind decides.
    if not isinstance(actual, Absent) and expected == actual:
        return
    which = describe_key(key) if calls == 1 else f"{describe_key(key)}, the last of {calls}"
    lines = list(islice(value_differences(what, expected, actual), _NOTED + 1))
    if len(lines) > _NOTED:
        lines[_NOTED:] = ["... and more"]
    texts = describe_value(expected), describe_value(actual)
    # Of values that are too large to be seen as a whole, the first place that differs says more.
    whole = all("..." not in text for text in texts)
    error = AssertionError(f"{which}: " + (f"expected {what} {texts[0]}, got {texts[1]}" if whole else lines[0]))
    error.add_note("\n".join(lines))
    raise error
