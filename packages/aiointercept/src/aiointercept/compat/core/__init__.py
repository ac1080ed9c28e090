"""The names that tests import from `aioresponses.core`."""

from aiohttp import ClientConnectionError, ClientResponse, ClientSession
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import CallbackResult

from .._aioresponses import aioresponses
from .._calls import RequestCall, merge_params, normalize_url
from .._request_match import RequestMatch

__all__ = [
    "URL",
    "CIMultiDict",
    "CIMultiDictProxy",
    "CallbackResult",
    "ClientConnectionError",
    "ClientResponse",
    "ClientSession",
    "RequestCall",
    "RequestMatch",
    "aioresponses",
    "merge_params",
    "normalize_url",
]
