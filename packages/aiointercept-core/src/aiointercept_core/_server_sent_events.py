"""Server-sent events: the text format of the HTML standard, and bodies that are streams of events."""

import functools
import inspect
import json as json_module
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import dataclass
from typing import Any, TypeAlias

from ._callback_context import CallbackContext
from ._chunks import close_iterable
from ._format import describe_function, describe_value

__all__ = ["EventStream", "Events", "ServerSentEvent", "encode_event", "sse_stream"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

_LINE_END = re.compile(r"\r\n|\r|\n")
_EVENT_TYPES = "a str, a mapping, a list or a ServerSentEvent"
_NONE_LEFT = object()


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event of a stream.

    `data` is a str, which may have several lines, or a mapping or list, which is serialised to JSON. `event` is the
    type of the event, `id` what a client sends as `Last-Event-ID` when it connects again, and `retry` how long it waits
    before that, in milliseconds.

    Raises `TypeError` or `ValueError` for values that cannot be sent.
    """

    data: "str | Mapping[str, Any] | list[Any]"
    event: str | None = None
    id: str | None = None
    retry: int | None = None

    def __post_init__(self) -> None:
        encode_event(self)


Event: TypeAlias = str | Mapping[str, Any] | list[Any] | ServerSentEvent
Events: TypeAlias = Iterable[Event] | AsyncIterable[Event] | Callable[[], Any]


def encode_event(event: object) -> bytes:
    """Return the lines of an event, a `ServerSentEvent` or its data; raise `TypeError` or `ValueError` for others."""
    fields: list[tuple[str, str]] = []
    data = event
    if isinstance(event, ServerSentEvent):
        data = event.data
        if event.event is not None:
            fields.append(("event", _check_line("event", event.event, "\r\n")))
        if event.id is not None:
            fields.append(("id", _check_line("id", event.id, "\r\n\0")))
        if event.retry is not None:
            fields.append(("retry", _check_retry(event.retry)))
    fields += [("data", line) for line in _LINE_END.split(_text(data))]
    return ("".join(f"{name}: {value}\n" for name, value in fields) + "\n").encode()


def sse_stream(events: Events) -> AsyncIterable[bytes] | Callable[[], Any]:
    """Return the body that sends each of `events` as a chunk of its own.

    `events` is an iterable or async iterable of str, mappings, lists and `ServerSentEvent`, or a function, sync or
    async, that returns one; then the result is such a function too. The events of a list are checked and encoded at
    once. A generator can be sent only once: the result is an `AsyncIterator` then.

    Raises `TypeError` or `ValueError` for a value that is not a stream, and for events in a list that cannot be sent.
    """
    if isinstance(events, str | bytes | bytearray | memoryview | Mapping | ServerSentEvent):
        raise TypeError(f"sse must be a list of events, got {describe_value(events)}; write sse=[...] for one event")
    if isinstance(events, list | tuple):
        return EventStream([encode_event(event) for event in events])
    if isinstance(events, AsyncIterator | Iterator):
        return _EventIterator(events)
    if isinstance(events, AsyncIterable | Iterable):
        return EventStream(events)
    if not callable(events):
        raise TypeError(
            f"sse must be an iterable or async iterable of events, or a function that returns one, got "
            f"{describe_value(events)}"
        )
    # A partial, because where a function runs depends on whether it is a coroutine function.
    make = _make_awaited if inspect.iscoroutinefunction(events) else _make
    return functools.update_wrapper(functools.partial(make, events), events)


class EventStream(AsyncIterable[bytes]):
    """The body of a stream of events, which can be sent any number of times."""

    def __init__(self, events: "Iterable[Any] | AsyncIterable[Any]") -> None:
        self._events = events

    def iterate_in(self, context: CallbackContext) -> AsyncIterator[bytes]:
        """Return the chunks, with the user's iterable run by `context`: a plain generator as a plain function is."""
        if isinstance(self._events, AsyncIterable):
            return context.iterate(self)
        return self._iterate(None if isinstance(self._events, list) else context)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._iterate(None)

    async def _iterate(self, context: CallbackContext | None) -> AsyncGenerator[bytes, None]:
        events = self._events
        if isinstance(events, AsyncIterable):
            iterator = aiter(events)
            try:
                async for event in iterator:
                    yield encode_event(event)
            finally:
                await close_iterable(iterator)
        elif context is None:
            for event in events:
                yield event if isinstance(event, bytes) else encode_event(event)
        else:
            remaining = await context.call(iter, events)
            while (event := await context.call(next, remaining, _NONE_LEFT)) is not _NONE_LEFT:
                yield encode_event(event)


class _EventIterator(EventStream, AsyncIterator[bytes]):
    """The body of a stream of events that can be sent only once; `__name__` is that of the generator."""

    def __init__(self, events: "Iterator[Any] | AsyncIterator[Any]") -> None:
        super().__init__(events)
        self.__name__ = getattr(events, "__name__", "")
        self.__wrapped__ = events
        self._chunks = self._iterate(None)

    async def __anext__(self) -> bytes:
        return await anext(self._chunks)

    async def aclose(self) -> None:
        """Close the generator."""
        await self._chunks.aclose()


def _make(function: Callable[[], Any]) -> Any:
    made = function()
    return _await(function, made) if inspect.isawaitable(made) else _stream_of(function, made)


async def _make_awaited(function: Callable[[], Awaitable[Any]]) -> EventStream:
    return _stream_of(function, await function())


async def _await(function: Callable[[], Any], made: Awaitable[Any]) -> EventStream:
    return _stream_of(function, await made)


def _stream_of(function: Callable[[], Any], events: Any) -> EventStream:
    stream = sse_stream(events) if isinstance(events, AsyncIterable | Iterable) else None
    if not isinstance(stream, EventStream):
        raise TypeError(
            f"sse: {describe_function(function)} must return an iterable or async iterable of events, got "
            f"{describe_value(events)}"
        )
    return stream


def _text(data: object) -> str:
    """Return the data of an event as text that can be sent."""
    if isinstance(data, str):
        return _check_encodable("data", data)
    if not isinstance(data, Mapping | list):
        raise TypeError(f"an event must be {_EVENT_TYPES}, got {describe_value(data)}")
    try:
        return json_module.dumps(data)
    except (TypeError, ValueError, RecursionError) as exc:
        kind = TypeError if isinstance(exc, TypeError) else ValueError
        raise kind(
            f"the data of an event must be a value that json.dumps can serialise, got {describe_value(data)}: {exc}; "
            "convert it, or write it as a str"
        ) from exc


def _check_line(name: str, value: object, forbidden: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"the {name} of an event must be a str, got {describe_value(value)}; convert it with str()")
    if any(character in value for character in forbidden):
        what = "line ends and NUL" if "\0" in forbidden else "line ends"
        raise ValueError(f"the {name} of an event must not contain {what}, got {describe_value(value)}")
    return _check_encodable(name, value)


def _check_encodable(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise ValueError(
            f"the {name} of an event must be a str that can be encoded as UTF-8, got {describe_value(value)}; remove "
            "the lone surrogates"
        ) from exc
    return value


def _check_retry(value: object) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"the retry of an event must be an int, in milliseconds, got {describe_value(value)}")
    if value < 0:
        raise ValueError(f"the retry of an event must be at least 0, got {value!r}")
    return str(value)
