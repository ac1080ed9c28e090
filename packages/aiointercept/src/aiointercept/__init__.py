"""Test aiohttp clients against a real server: `aiointercept` starts one on loopback and sends requests there."""

from aiointercept_core import CallbackResult, MockResponse
from aiointercept_server import AiointerceptRequest

from ._aiointercept import aiointercept

__all__ = ["AiointerceptRequest", "CallbackResult", "MockResponse", "aiointercept"]
