"""Errors of users' functions: they are kept for the end of the block, and logged if they are not raised there."""

import logging
from asyncio import CancelledError
from collections import deque
from collections.abc import Sequence
from typing import Any

from aiointercept_core import Record, Request, format_error

from ._core import describe_error_of, has_user_frames, hide_own_frames, raised_by, user_function

__all__ = ["CallbackErrors", "is_hidden", "note_errors"]

logger = logging.getLogger("aiointercept")


class CallbackErrors:
    """The errors of the functions registered with one mock, until the test takes them.

    Each is told once: by the exception that the test gets, or in the log as an error. While `are_raised` is true, the
    exception is to come, and the log has the error with level DEBUG only. Any thread may call the methods.
    """

    def __init__(self, *, are_raised: bool) -> None:
        self.are_raised = are_raised
        self._unlogged: deque[tuple[BaseException, str]] = deque()
        self._logged: deque[BaseException] = deque()

    def __del__(self) -> None:
        # Nobody has taken them, for example because `stop()` was not awaited. An interrupt may have ended `__init__`.
        for _, line in vars(self).get("_unlogged", ()):
            logger.error("%s", line)

    def keep(self, error: BaseException, record: Record[Any]) -> str:
        """Keep the error of the function that makes the reply to a request; return a sentence about it."""
        kind, function = ("function", None) if record.route is None else user_function(record.route)
        return self._keep_for(error, record.request, *raised_by(error, kind, function))

    def keep_of_condition(self, error: BaseException, request: Request) -> None:
        """Keep the error of a function that is a condition of a route."""
        self._keep_for(error, request, *raised_by(error, "condition"))

    def keep_unobserved(self, error: BaseException) -> None:
        """Keep the error of a function whose client has left."""
        who, where = raised_by(hide_own_frames(error), "function")
        self._keep(error, f"{describe_error_of(error, who)} after its client had left{where and f' ({where})'}")

    def take(self) -> list[BaseException]:
        """Return the errors that were not taken yet."""
        errors = []
        while self._logged:
            errors.append(self._logged.popleft())
        while self._unlogged:
            errors.append(self._unlogged.popleft()[0])
        return errors

    def log(self) -> None:
        """Log the errors that were neither taken nor logged yet."""
        while self._unlogged:
            error, line = self._unlogged.popleft()
            logger.error("%s", line)
            self._logged.append(error)

    def _keep_for(self, error: BaseException, request: Request, who: str, where: str) -> str:
        sentence = describe_error_of(error, who)
        is_raised = has_user_frames(error)
        sent = f"{request.method} {request.url}"
        # The place of a `Mock` is not known.
        failed = f"{who} ({where}) failed for {sent}" if where else f"{who} failed for {sent}"
        note = f"{who} raised this for {sent}" if is_raised else failed
        # The same exception may be raised again and again.
        if who and note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        if not is_raised and isinstance(error, TypeError | ValueError | RuntimeError):
            # The message says what is wrong with the user's function; the line of our code that raised it says nothing.
            error.__traceback__ = None
            if not isinstance(error, RuntimeError):
                error.__cause__ = None
        self._keep(hide_own_frames(error), f"{sentence} for {sent}{where and f' ({where})'}")
        return sentence

    def _keep(self, error: BaseException, line: str) -> None:
        self._unlogged.append((error, line))
        # Only now, so that an error is taken or logged also if the block ends meanwhile.
        if self.are_raised:
            logger.debug("%s", line)
        else:
            self.log()


def is_hidden(exc: BaseException | None) -> bool:
    """Return whether nobody is shown `exc`, a cancellation or an exit, so that a note on it would be lost."""
    is_of_trio = type(exc).__module__.startswith("trio.")
    return is_of_trio or isinstance(exc, CancelledError | GeneratorExit | KeyboardInterrupt | SystemExit)


def note_errors(exc: BaseException, errors: Sequence[BaseException]) -> None:
    """Add errors of users' functions as notes to `exc`, with which the block or the test ends."""
    for error in errors:
        if has_user_frames(error):
            exc.add_note(f"before this, a function of yours failed:\n{format_error(error)}")
            continue
        if str(error) not in str(exc):
            exc.add_note(f"before this: {error}")
        for note in getattr(error, "__notes__", ()):
            exc.add_note(note)
