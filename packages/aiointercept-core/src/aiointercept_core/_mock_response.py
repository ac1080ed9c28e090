"""The registered mock: what answers which requests, how often, and how often it did."""

import inspect
from collections.abc import Callable
from typing import Any

from yarl import URL

from ._matcher import ExactURL, Matcher
from ._reply import CloseConnection, Reply, Response
from ._request import Request, request_details
from ._template import ReplyTemplate, template_from_result

__all__ = ["MockResponse"]

_CLOSED = CloseConnection()


class MockResponse:
    """One registration: the reply to the next requests that match it.

    `method` is in upper case; `call_count` says how many requests it has answered; `remaining` how many more it
    will answer, `None` for no end. An `optional` one need not be used. `ready` is the reply to all of them, `None`
    where each gets its own or none.
    """

    __slots__ = (
        "_lenient",
        "_template",
        "call_count",
        "callback",
        "exception",
        "matcher",
        "method",
        "optional",
        "position",
        "ready",
        "remaining",
    )

    def __init__(
        self,
        method: str,
        matcher: Matcher,
        *,
        template: Response | ReplyTemplate,
        callback: Callable[..., Any] | None = None,
        exception: BaseException | type[BaseException] | bool | None = None,
        repeat: int | None = 1,
        optional: bool = False,
        lenient: bool = False,
    ) -> None:
        self.method = method
        self.matcher = matcher
        self.callback = callback
        self.exception = exception
        self.optional = optional
        self.call_count = 0
        self.remaining = repeat
        self.position = 0
        self._template = template
        self.ready: Response | None = None
        if callback is None and not exception and isinstance(template, Response):
            self.ready = template
        self._lenient = lenient

    def __repr__(self) -> str:
        left = "for ever" if self.remaining is None else f"{self.remaining} left"
        return f"<MockResponse {self} call_count={self.call_count} ({left})>"

    def __str__(self) -> str:
        return f"{self.method} {self.matcher}"

    @property
    def exact(self) -> bool:
        """Whether it was registered for one URL, not for a pattern."""
        return self.url is not None

    @property
    def url(self) -> URL | None:
        """The URL it was registered for, in normalised form; `None` for a pattern."""
        return self.matcher.url if isinstance(self.matcher, ExactURL) else None

    def take(self) -> None:
        """Count one more request as answered."""
        self.call_count += 1
        if self.remaining is not None:
            self.remaining -= 1

    def give_back(self) -> None:
        """Count one request less."""
        self.call_count -= 1
        if self.remaining is not None:
            self.remaining += 1

    async def reply(self, request: Request) -> Reply:
        """Return the reply to `request`; what the user's callback or body function raises is raised."""
        if self.ready is not None:
            return self.ready
        if self.exception:
            return _CLOSED
        if self.callback is None:
            return await self.registered_reply()
        result = self.callback(request.url, **request_details(request))
        if inspect.isawaitable(result):
            result = await result
        return await self.reply_from(result, request)

    async def registered_reply(self) -> Reply:
        """Return the reply as it was registered, whatever the callback says."""
        template = self._template
        return template if isinstance(template, Response) else await template.make()

    async def reply_from(self, result: object, request: Request) -> Reply:
        """Return the reply to `request` that a callback's `result` stands for."""
        template = template_from_result(result, request.method, self.callback, lenient=self._lenient)
        return template if isinstance(template, Response) else await template.make()
