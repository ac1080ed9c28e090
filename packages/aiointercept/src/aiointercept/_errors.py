"""Errors of users' functions: they are logged and kept, and noted on the exception that ends the block."""

import logging
from collections.abc import Sequence
from typing import Any

from aiointercept_core import Record, Request, format_error

from ._core import describe_error_of, has_user_frames, hide_own_frames, raised_by, user_function

__all__ = ["keep_condition_error", "keep_error", "keep_unobserved_error", "note_errors"]

logger = logging.getLogger("aiointercept")


def keep_error(errors: list[BaseException], error: BaseException, record: Record[Any]) -> str:
    """Keep the error of the function that makes the reply to a request; log and return a sentence about it."""
    kind, function = ("function", None) if record.route is None else user_function(record.route)
    return _keep(errors, error, record.request, *raised_by(error, kind, function))


def keep_condition_error(errors: list[BaseException], error: BaseException, request: Request) -> None:
    """Keep and log the error of a user's function that is a condition of a route."""
    _keep(errors, error, request, *raised_by(error, "condition"))


def keep_unobserved_error(errors: list[BaseException], error: BaseException) -> None:
    """Keep and log the error of a user's function whose client has left."""
    errors.append(error)
    who, where = raised_by(hide_own_frames(error), "function")
    logger.error("%s after its client had left%s", describe_error_of(error, who), where and f" ({where})")


def _keep(errors: list[BaseException], error: BaseException, request: Request, who: str, where: str) -> str:
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
    errors.append(hide_own_frames(error))
    logger.error("%s for %s%s", sentence, sent, where and f" ({where})")
    return sentence


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
