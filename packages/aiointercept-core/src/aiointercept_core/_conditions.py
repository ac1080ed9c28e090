"""The conditions of a route besides its method and URL: the arguments `match`, `match_json` and so on of `add`."""

import inspect
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterator, Mapping
from types import UnionType
from typing import Any, TypeAlias

from multidict import MultiDict

from ._comparison import JSON, Body, Form, Headers, Query, TextPattern
from ._format import describe_function, describe_value
from ._matchers import Difference, ExactURL, Matcher, URLPattern
from ._request import Request
from ._user_code import is_coroutine_function

__all__ = ["BodyPattern", "Predicate", "build_conditions"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

BodyPattern: TypeAlias = str | bytes | re.Pattern[str] | re.Pattern[bytes]


class Predicate:
    """Matches the requests for which the user's function returns a true value."""

    needs_body = True

    def __init__(self, function: Callable[[Any], object]) -> None:
        self.function = function

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Predicate) and self.function is other.function

    def __hash__(self) -> int:
        return hash(self.function)

    def __str__(self) -> str:
        return f"match={describe_function(self.function)}"

    def differences(self, request: Request) -> Iterator[Difference]:
        """Yield one difference if the function returns a false value."""
        result = self.function(request)
        if isinstance(result, Awaitable | Generator | AsyncGenerator):
            if isinstance(result, Coroutine):
                # Python warns of coroutines that are never awaited.
                result.close()
            raise TypeError(
                f"match: {describe_function(self.function)} returned {describe_value(result)}, which is always true; "
                "return True or False, without await and yield"
            )
        if not result:
            yield Difference("match", f"{describe_function(self.function)} returned {describe_value(result)}")


def build_conditions(
    matcher: ExactURL | URLPattern,
    match_headers: Mapping[str, Any] | None,
    match_query: Mapping[str, Any] | None,
    match_json: Any,
    match_form: Mapping[str, Any] | None,
    match_body: BodyPattern | None,
    match: Callable[[Any], object] | None,
) -> tuple[ExactURL | URLPattern, tuple[Matcher, ...]]:
    """Return the matcher of the URL and the conditions, in the order in which they are asked.

    With `match_query` an exact URL has no query of its own: its pairs are a part of the condition. A predicate is the
    last one, so that it is called only for requests that match otherwise. Raises `TypeError` or `ValueError` for bad
    conditions.
    """
    conditions: list[Matcher] = []
    if match_headers is not None:
        headers = _mapping("match_headers", match_headers, "{'Authorization': 'Bearer 1'}")
        _check_texts("match_headers: header", headers, bytes | int | float)
        for name, value in headers.items():
            if isinstance(value, list):
                raise TypeError(
                    f"match_headers: got several values for {name!r}, {describe_value(value)}; "
                    "pass a multidict with one value for each header"
                )
        conditions.append(Headers(headers))
    if match_query is not None:
        pairs = _mapping("match_query", match_query, "{'page': '2'}")
        _check_texts("match_query: query", pairs, bytes)
        if isinstance(matcher, ExactURL):
            url = matcher.url
            pairs = MultiDict([*url.query.items(), *pairs.items()]) if url.query else pairs
            matcher = ExactURL(url.with_query(None), any_query=True)
        conditions.append(Query(pairs))
    if match_form is not None:
        conditions.append(Form(_mapping("match_form", match_form, "{'grant_type': 'refresh_token'}")))
    if match_json is not None:
        try:
            conditions.append(JSON(_copied(match_json)))
        except RecursionError as exc:
            raise ValueError(f"match_json is nested too deeply, got {describe_value(match_json)}") from exc
    if match_body is not None:
        if not isinstance(match_body, str | bytes | re.Pattern):
            raise TypeError(
                f"match_body must be bytes, a str or a compiled pattern, got {describe_value(match_body)}; "
                "use match_json= for JSON and match_form= for a form"
            )
        conditions.append(Body(_expected_text(match_body)))
    if match is not None:
        conditions.append(Predicate(_check_predicate(match)))
    return matcher, tuple(conditions)


def _mapping(name: str, expected: object, example: str) -> dict[str, Any] | MultiDict[Any]:
    """Return a copy of `expected`, with patterns as values that are equal to the texts they match."""
    if not isinstance(expected, Mapping):
        raise TypeError(f"{name} must be a mapping, got {describe_value(expected)}; pass a dict, for example {example}")
    for key in expected:
        if not isinstance(key, str):
            raise TypeError(f"{name} must have names that are str, got {describe_value(key)}")
        if expected[key] is None:
            raise TypeError(f"{name}: {key!r} is None, which no request has; pass unittest.mock.ANY for any value")
    pairs = [(key, _expected_text(value)) for key, value in expected.items()]
    return dict(pairs) if len(dict(pairs)) == len(pairs) else MultiDict(pairs)


def _check_texts(what: str, pairs: Mapping[str, Any], refused: type | UnionType) -> None:
    for name, value in pairs.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, refused):
                raise TypeError(
                    f"{what} values are text, got {name!r}: {each!r}; write the value as a str, or a pattern"
                )


def _expected_text(value: Any) -> Any:
    if isinstance(value, re.Pattern):
        return TextPattern(value)
    return [_expected_text(item) for item in value] if isinstance(value, list | tuple) else value


def _copied(value: Any) -> Any:
    """Return JSON data as it is now: the test may change its own lists and dicts later."""
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, re.Pattern):
        return TextPattern(value)
    return [_copied(item) for item in value] if type(value) is list else value


def _check_predicate(function: Any) -> Callable[[Any], object]:
    if not callable(function):
        raise TypeError(
            f"match must be a function of a request, got {describe_value(function)}; "
            "for example match=lambda request: request.headers['X-Shard'] == '7'"
        )
    if is_coroutine_function(function):
        raise TypeError(
            f"match must be a plain function, got the coroutine function {describe_function(function)}; "
            "the body has arrived when it is called: read request.body"
        )
    try:
        inspect.signature(function).bind(None)
    except ValueError:
        pass
    except TypeError as exc:
        raise TypeError(f"match: {describe_function(function)} must take one argument, the request: {exc}") from exc
    return function  # type: ignore[no-any-return]
