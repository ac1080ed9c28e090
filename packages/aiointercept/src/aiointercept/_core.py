"""The names that the facade takes from core beside the public ones. Nothing here is public API."""

from aiointercept_core._arguments import check_method, without_class_names
from aiointercept_core._format import count_of, describe_function, describe_value
from aiointercept_core._route import user_function
from aiointercept_core._user_code import (
    ReportedError,
    blame,
    caller,
    describe_blamed,
    has_user_frames,
    hide_own_frames,
    place_of,
)

__all__ = [
    "ReportedError",
    "blame",
    "caller",
    "check_method",
    "count_of",
    "describe_blamed",
    "describe_function",
    "describe_value",
    "has_user_frames",
    "hide_own_frames",
    "place_of",
    "user_function",
    "without_class_names",
]
