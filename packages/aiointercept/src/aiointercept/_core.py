"""The names that the facade takes from core beside the public ones. Nothing here is public API."""

from aiointercept_core._arguments import check_method, is_exception, without_class_names
from aiointercept_core._format import count_of, describe_function, describe_value
from aiointercept_core._route import user_function
from aiointercept_core._user_code import (
    ReportedError,
    caller,
    describe_error_of,
    has_user_frames,
    hide_own_frames,
    is_coroutine_function,
    place_of,
    raised_by,
)

__all__ = [
    "ReportedError",
    "caller",
    "check_method",
    "count_of",
    "describe_error_of",
    "describe_function",
    "describe_value",
    "has_user_frames",
    "hide_own_frames",
    "is_coroutine_function",
    "is_exception",
    "place_of",
    "raised_by",
    "user_function",
    "without_class_names",
]
