"""Check that this release of aiohttp has what the patches need, beside its public names."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from aiohttp import ClientRequest, ClientSession, TCPConnector

__all__ = ["POOL_KEY_FIELD", "check_aiohttp", "private_attribute"]

# aiohttp sets this field only for a request with a proxy, and compares its value without looking at it.
POOL_KEY_FIELD = "proxy_headers_hash"

_CONNECT_PARAMETERS = ["self", "req", "traces", "timeout"]
_REQUEST_ATTRIBUTES = ("connection_key", "is_ssl")


def check_aiohttp() -> None:
    """Raise `RuntimeError` if aiohttp lacks something that the patches need."""
    missing = []
    # Another library may have wrapped the method: aiohttp's own is one of those that the classes define.
    defined = [vars(cls)["connect"] for cls in TCPConnector.__mro__ if "connect" in vars(cls)]
    if not any(list(_parameters(method)) == _CONNECT_PARAMETERS for method in defined):
        missing.append(f"the method TCPConnector.connect({', '.join(_CONNECT_PARAMETERS)})")
    key = getattr(getattr(aiohttp, "client_reqrep", None), "ConnectionKey", None)
    if POOL_KEY_FIELD not in getattr(key, "_fields", ()):
        missing.append(f"the field {POOL_KEY_FIELD} of ConnectionKey")
    missing += [f"ClientRequest.{name}" for name in _REQUEST_ATTRIBUTES if not hasattr(ClientRequest, name)]
    parameters = _parameters(ClientSession._request) if hasattr(ClientSession, "_request") else {}
    if "middlewares" not in parameters and not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        missing.append("the method ClientSession._request(..., middlewares)")
    if missing:
        raise _unsupported(*missing)


def private_attribute(owner: object, name: str) -> Any:
    """Return a private attribute of an object of aiohttp; raises `RuntimeError` if this release has none."""
    try:
        return getattr(owner, name)
    except AttributeError:
        raise _unsupported(f"{type(owner).__name__}.{name}") from None


def _unsupported(*missing: str) -> RuntimeError:
    return RuntimeError(
        f"aiohttp {aiohttp.__version__} cannot be redirected because it lacks {' and '.join(missing)}: "
        "install a release of aiointercept that supports it, or an older aiohttp"
    )


# Reading a signature takes half of the time that starting a mock takes.
@functools.lru_cache(maxsize=8)
def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters
