"""The registered mock: what answers which requests, how often, and how often it did."""

import inspect
from collections.abc import Callable
from typing import Any

from ._matcher import ExactURL, Matcher
from ._reply import ClosedConnection, Reply
from ._request import Request, request_details
from ._template import ReplyTemplate, template_from_result

__all__ = ["MockResponse"]

_CLOSED = ClosedConnection()


class MockResponse:
    """One registration: the reply to the next requests that match it.

    `method` is in upper case; `call_count` says how many requests it has answered; `remaining` how many more it
    will answer, `None` for no end.
    """

    __slots__ = ("_callback", "_closes", "_fixed", "_template", "call_count", "matcher", "method", "remaining")

    def __init__(
        self,
        method: str,
        matcher: Matcher,
        *,
        template: ReplyTemplate,
        callback: Callable[..., Any] | None = None,
        closes: bool = False,
        repeat: int | None = 1,
    ) -> None:
        self.method = method
        self.matcher = matcher
        self.call_count = 0
        self.remaining = repeat
        self._template = template
        self._fixed = template.fixed()
        self._callback = callback
        self._closes = closes

    def __repr__(self) -> str:
        left = "for ever" if self.remaining is None else f"{self.remaining} left"
        return f"<MockResponse {self} call_count={self.call_count} ({left})>"

    def __str__(self) -> str:
        return f"{self.method} {self.matcher}"

    @property
    def exact(self) -> bool:
        """Whether it was registered for one URL, not for a pattern."""
        return isinstance(self.matcher, ExactURL)

    def take(self) -> None:
        """Count one more request as answered."""
        self.call_count += 1
        if self.remaining is not None:
            self.remaining -= 1

    async def reply(self, request: Request) -> Reply:
        """Return the reply to `request`; what the user's callback or body function raises is raised."""
        if self._closes:
            return _CLOSED
        if self._callback is not None:
            result = self._callback(request.url, **request_details(request))
            if inspect.isawaitable(result):
                result = await result
            return await template_from_result(result, request.method, self._callback).make()
        return self._fixed or await self._template.make()
