"""The names that tests written for aioresponses import: change the import, keep the tests.

`from aiointercept.compat import aioresponses, CallbackResult`

The module `core` is for tests that import from `aioresponses.core`.
"""

from .core import URL, CallbackResult, RequestCall, aioresponses, merge_params, normalize_url

__all__ = ["URL", "CallbackResult", "RequestCall", "aioresponses", "merge_params", "normalize_url"]
