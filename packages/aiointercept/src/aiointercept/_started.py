"""The mocks that were started lately: what a test report shows when the test had its mock from no fixture."""

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._aiointercept import aiointercept

__all__ = ["STARTED"]

# Weak, so that being listed keeps nothing alive; the pytest plugin empties it before each test.
STARTED: "weakref.WeakSet[aiointercept]" = weakref.WeakSet()
