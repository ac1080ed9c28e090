"""Warnings about registrations that cannot have the effect that the user expects."""

import inspect
import warnings

__all__ = ["AiointerceptWarning", "warn_user"]

_OWN_PACKAGES = frozenset({"aiointercept", "aiointercept_core", "aiointercept_dns", "aiointercept_server"})


class AiointerceptWarning(UserWarning):
    """A registration that can never answer, or an argument without the effect that its name suggests."""


def warn_user(message: str) -> None:
    """Warn at the line of the user's code that has called into these packages."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OWN_PACKAGES:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, AiointerceptWarning, stacklevel=level)
