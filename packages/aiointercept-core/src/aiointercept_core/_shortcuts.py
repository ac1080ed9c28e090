"""The shortcuts `get`, `post` and so on, and the options that they pass to `add`."""

import inspect
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from yarl import URL

from ._replies import BodySource
from ._route import Route

if TYPE_CHECKING:
    from typing import Unpack

__all__ = ["MethodShortcuts", "RouteOptions", "set_signatures"]


class RouteOptions(TypedDict, total=False):
    """The keyword arguments of `add` after the URL and the method."""

    status: int | None
    body: BodySource | None
    json: Any
    payload: Any
    headers: Mapping[str, str] | None
    repeat: bool | int
    content_type: str | None
    callback: Callable[..., Any] | None
    reason: str | None
    exception: BaseException | type[BaseException] | bool | None
    optional: bool


class MethodShortcuts:
    """`get`, `post` and so on: each calls `self.add` with its method, so that overriding `add` is enough."""

    @abstractmethod
    def add(self, url: str | URL | re.Pattern[str], method: str = "GET", **options: "Unpack[RouteOptions]") -> Route:
        """Register a reply to requests for `url` and return its route."""

    def get(self, url: str | URL | re.Pattern[str], **options: "Unpack[RouteOptions]") -> Route:
        """Register a reply to GET requests; see `add`."""
        return self.add(url, method="GET", **options)

    def post(self, url: str | URL | re.Pattern[str], **options: "Unpack[RouteOptions]") -> Route:
        """Register a reply to POST requests; see `add`."""
        return self.add(url, method="POST", **options)

    def put(self, url: str | URL | re.Pattern[str], **options: "Unpack[RouteOptions]") -> Route:
        """Register a reply to PUT requests; see `add`."""
        return self.add(url, method="PUT", **options)

    def patch(self, url: str | URL | re.Pattern[str], **options: "Unpack[RouteOptions]") -> Route:
        """Register a reply to PATCH requests; see `add`."""
        return self.add(url, method="PATCH", **options)

    def delete(self, url: str | URL | re.Pattern[str], **options: "Unpack[RouteOptions]") -> Route:
        """Register a reply to DELETE requests; see `add`."""
        return self.add(url, method="DELETE", **options)

    def head(self, url: str | URL | re.Pattern[str], **options: "Unpack[RouteOptions]") -> Route:
        """Register a reply to HEAD requests; see `add`."""
        return self.add(url, method="HEAD", **options)

    def options(self, url: str | URL | re.Pattern[str], **options: "Unpack[RouteOptions]") -> Route:
        """Register a reply to OPTIONS requests; see `add`."""
        return self.add(url, method="OPTIONS", **options)


def set_signatures(add: Callable[..., Route]) -> None:
    """Give the shortcuts the signature of `add`, without the method, for `help()` and editors."""
    signature = inspect.signature(add)
    parameters = [signature.parameters[name] for name in ("self", "url", *RouteOptions.__annotations__)]
    for name in ("get", "post", "put", "patch", "delete", "head", "options"):
        vars(MethodShortcuts)[name].__signature__ = signature.replace(parameters=parameters)
