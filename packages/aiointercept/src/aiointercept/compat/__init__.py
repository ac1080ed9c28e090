"""The names that tests written for aioresponses import: change the import, keep the tests.

`from aiointercept.compat import aioresponses, CallbackResult`
"""

from yarl import URL

from aiointercept_core import CallbackResult

from ._aioresponses import aioresponses
from ._calls import RequestCall, merge_params, normalize_url

__all__ = ["URL", "CallbackResult", "RequestCall", "aioresponses", "merge_params", "normalize_url"]
