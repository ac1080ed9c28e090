"""The registry: registrations in, replies out.

One lock makes match, consume and record a single step, because requests arrive on a server's thread while a test
registers and asserts on its own.
"""

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from yarl import URL

from ._assertions import CallAssertions
from ._explanation import RegistrationIndex
from ._journal import Journal, Record
from ._matcher import ExactURL, URLPattern
from ._mock_response import MockResponse
from ._queue import ReplyQueue
from ._registration import MethodShortcuts, build_registration
from ._reply import BodySource, CloseConnection, Reply
from ._request import Request
from ._url import Key, asked_origin, request_key
from ._wording import shorten

if TYPE_CHECKING:
    from typing import Never

__all__ = ["Registry"]

logger = logging.getLogger("aiointercept")

R = TypeVar("R", bound=Request)

# How many distinct URLs have the patterns that match them remembered.
_PATTERN_MEMO_SIZE = 1024


class Registry(MethodShortcuts, CallAssertions[R], Generic[R]):
    """Registered replies and recorded requests, with no transport of its own.

    A transport calls `await registry.answer(request)` for each request. All methods may be called from any thread.

    A `lenient` registry keeps the rules of aioresponses: exact URLs and patterns share one order of registration, a
    reply behind one that repeats for ever is accepted and never reached, and headers that contradict the body are
    dropped.

    `claims_state` is another object whenever `claims` may have come to say something else, for those who remember
    what it said of a URL; it is `None` while that takes more than to know which URLs are equal.
    """

    claims_state: object | None

    def __init__(self, *, lenient: bool = False) -> None:
        self._lock = threading.Lock()
        self._lenient = lenient
        self._journal: Journal[R] = Journal()
        self._forget_registrations()

    @property
    def journal(self) -> Journal[R]:
        """The recorded requests."""
        return self._journal

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
        """Register the reply to requests for `url` and return its handle.

        Raises `TypeError` or `ValueError` for what could not be served, saying how to fix it.
        """
        response = build_registration(
            url,
            method,
            status=status,
            body=body,
            json=json,
            payload=payload,
            headers=headers,
            repeat=repeat,
            content_type=content_type,
            callback=callback,
            reason=reason,
            exception=exception,
            optional=optional,
            unknown=unknown,
            lenient=self._lenient,
        )
        with self._lock:
            self._enqueue(response)
        return response

    def clear(self) -> None:
        """Forget all registrations and all recorded requests."""
        with self._lock:
            self._forget_registrations()
            self._journal = Journal()

    def claims(self, url: URL) -> bool:
        """Tell whether `url` is meant for this registry: by its origin, registered exactly, or by a pattern."""
        if self.claims_origin(url):
            return True
        if not self._patterns:
            return False
        with self._lock:
            return any(self._matching_patterns(method, url) for method in self._patterns)

    def claims_origin(self, url: URL) -> bool:
        """Tell whether some exact URL of the origin of `url` was registered, used up or not."""
        return asked_origin(url) in self._index.origins

    def matches(self, method: str, url: URL) -> bool:
        """Tell whether a request would be answered now, without consuming anything."""
        return self.peek(method, url) is not None

    def choose(self, request: R, reserved: MockResponse | None = None) -> Record[R]:
        """Match `request`, consume its reply and record it, in one step; `reserved` is a reply it has already."""
        url = request.url
        key = request.method, url
        # Most requests are for what is registered in just this form; to normalise a new URL takes longer.
        if key not in self._exact:
            key = request_key(*key)
        with self._lock:
            response = reserved or self._find(key, url)
            explanation = None
            if response is None:
                explanation = self._explain(key, url)
            elif reserved is None:
                response.take()
            record = Record(key, request, response, explanation, missed=response is None)
            self._journal.append(record)
        return record

    def record(self, request: R, explanation: str) -> Record[R]:
        """Record `request` as answered by nothing registered, without consuming a reply."""
        record = Record(request_key(request.method, request.url), request, None, explanation)
        with self._lock:
            self._journal.append(record)
        return record

    def peek(self, method: str, url: URL) -> MockResponse | None:
        """Return what would answer a request now, without consuming anything."""
        with self._lock:
            return self._find(request_key(method, url), url)

    def reserve(self, method: str, url: URL) -> MockResponse | None:
        """Consume the reply to a request that is yet to come, and return it: `choose` takes it then."""
        with self._lock:
            response = self._find(request_key(method, url), url)
            if response is not None:
                response.take()
        return response

    def release(self, response: MockResponse) -> None:
        """Give back a reply that was consumed and not used; it is the next one again."""
        queue: ReplyQueue | None = None
        with self._lock:
            response.give_back()
            match response.matcher:
                case ExactURL(url):
                    queue = self._exact.get((response.method, url))
                case URLPattern(pattern):
                    queue = self._patterns.get(response.method, {}).get(pattern)
            if queue is not None:
                queue.rewind()

    @property
    def registrations(self) -> list[MockResponse]:
        """All registrations that may answer or have answered, in order."""
        with self._lock:
            queues = [
                *self._exact.values(),
                *(queue for queues in self._patterns.values() for queue in queues.values()),
            ]
            return sorted((one for queue in queues for one in queue.responses), key=lambda one: one.position)

    async def answer(self, request: R) -> Reply:
        """Record `request` and return the reply to it: `CloseConnection` where nothing registered matches.

        What the user's callback or body function raises is raised.
        """
        record = self.choose(request)
        if record.response is not None:
            return await record.response.reply(request)
        logger.warning("%s", record.explanation)
        return CloseConnection(record.explanation)

    def assert_all_called(self) -> None:
        """Raise `AssertionError` if a registration that is not optional was never used."""
        unused = [one for one in self.registrations if not one.call_count and not one.optional]
        if unused:
            raise AssertionError(_list_of("expected every registration to be used, never used: ", unused))

    def _forget_registrations(self) -> None:
        self._exact: dict[Key, ReplyQueue] = {}
        self._patterns: dict[str, dict[re.Pattern[str], ReplyQueue]] = {}
        self._pattern_memo: dict[tuple[str, str], list[ReplyQueue]] = {}
        self._index = RegistrationIndex()
        self._count = 0
        self.claims_state = object()

    def _enqueue(self, response: MockResponse) -> None:
        self._count += 1
        response.position = self._count
        matcher = response.matcher
        if isinstance(matcher, ExactURL):
            key = (response.method, matcher.url)
            queue = self._exact.get(key)
            if queue is None:
                queue = self._exact[key] = ReplyQueue(lenient=self._lenient)
                self._index.add(key)
                if self.claims_state is not None:
                    self.claims_state = object()
        else:
            queues = self._patterns.setdefault(response.method, {})
            queue = queues.get(matcher.pattern)
            if queue is None:
                queue = queues[matcher.pattern] = ReplyQueue(lenient=self._lenient)
                self._pattern_memo.clear()
                self.claims_state = None
        queue.append(response)

    def _find(self, key: Key, url: URL) -> MockResponse | None:
        queue = self._exact.get(key)
        found = queue.current() if queue is not None else None
        if key[0] not in self._patterns or (found is not None and not self._lenient):
            return found
        for queue in self._matching_patterns(key[0], url):
            response = queue.current()
            if response is None:
                continue
            if not self._lenient:
                return response
            if found is None or response.position < found.position:
                found = response
        return found

    def _matching_patterns(self, method: str, url: URL) -> list[ReplyQueue]:
        """Return the queues of the patterns that match `url`, in order. Callers hold the lock."""
        # By its text: a URL equals another that has a slash for its empty path, and a pattern tells them apart.
        text = str(url)
        matching = self._pattern_memo.get((method, text))
        if matching is None:
            queues = self._patterns.get(method, {})
            matching = [queue for pattern, queue in queues.items() if pattern.match(text)]
            if len(self._pattern_memo) >= _PATTERN_MEMO_SIZE:
                self._pattern_memo.clear()
            self._pattern_memo[method, text] = matching
        return matching

    def _explain(self, key: Key, url: URL) -> str:
        text = str(url)
        used_up = (
            (queue.responses[-1], calls)
            for queue in self._matching_patterns(key[0], url)
            if (calls := queue.used_up_after()) is not None
        )
        patterns = (
            (queue.responses[-1], bool(pattern.match(text)))
            for queues in self._patterns.values()
            for pattern, queue in queues.items()
        )
        return self._index.explain(key, self._used_up_after, used_up, patterns)

    def _used_up_after(self, key: Key) -> int | None:
        queue = self._exact.get(key)
        return queue.used_up_after() if queue is not None else None


def _list_of(text: str, items: Sequence[object], limit: int = 20) -> str:
    named = "; ".join(shorten(str(item)) for item in items[:limit])
    more = f"; and {len(items) - limit} more" if len(items) > limit else ""
    return f"{text}{named}{more}"
