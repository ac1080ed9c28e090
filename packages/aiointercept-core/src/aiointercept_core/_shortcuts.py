"""The shortcuts `get`, `post` and so on, and the options that they pass to `add`."""

import inspect
import re
import textwrap
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar

from yarl import URL, Query

from ._arguments import check_shortcut, without_class_names
from ._conditions import BodyPattern
from ._faults import Fault
from ._replies import BodySource, Callback
from ._request import Request
from ._route import Route
from ._server_sent_events import Events

if TYPE_CHECKING:
    from typing import Never, Unpack

__all__ = ["MethodShortcuts", "RouteOptions", "set_signatures"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


R = TypeVar("R", bound=Request)

# One line for each argument, for `help(m.get)`.
_ARGUMENTS = textwrap.indent(
    """\
url            a str, yarl.URL or compiled pattern; a pattern is matched from the start of the whole URL
status         the status of the reply, 200 by default
body           a str, bytes, async iterable of bytes, or a function that returns one of these
json, payload  a value that is sent as JSON
headers        the headers of the reply
repeat         False for one request, a number of requests, or True for all
content_type   the Content-Type, application/json by default
callback       a function callback(url), plain or async, that returns a CallbackResult
reason         the reason phrase of the reply
exception      True to close the connection without a reply
optional       True if the route may stay unused under assert_all_called
params         a query that is added to the url
match_headers  only for requests with these headers
match_query    only for requests with these values in the query
match_json     only for requests with this JSON body
match_form     only for requests with these form fields
match_body     only for requests with this body: bytes, str or a compiled pattern
match          only for requests for which this function returns a true value
fault          a way to fail (Fault), or an exception for the caller
delay          seconds before the reply begins
sse            server-sent events: an iterable, an async iterable or a function that returns one
""",
    "    ",
)
_EXAMPLE = 'm.{}("https://api.example.com/users", status=204)'
_EXAMPLES = {
    "get": 'm.{}("https://api.example.com/users/1", payload={{"name": "Ada"}})',
    "post": 'm.{}("https://api.example.com/users", status=201, match_json={{"name": "Ada"}})',
}


class RouteOptions(TypedDict, total=False):
    """The keyword arguments of `add` after the URL and the method."""

    status: int | None
    body: BodySource | None
    json: Any
    payload: Any
    headers: Mapping[str, str] | None
    repeat: bool | int
    content_type: str | None
    callback: Callback | None
    reason: str | None
    exception: BaseException | type[BaseException] | bool | None
    optional: bool
    params: Query
    match_headers: Mapping[str, Any] | None
    match_query: Mapping[str, Any] | None
    match_json: Any
    match_form: Mapping[str, Any] | None
    match_body: BodyPattern | None
    match: Callable[[Any], object] | None
    fault: Fault | BaseException | type[BaseException] | None
    delay: float
    sse: Events | None


@without_class_names
class MethodShortcuts(Generic[R]):
    """`get`, `post` and so on: each calls `self.add` with its method, so that overriding `add` is enough."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for function in {"add", "ws"} & vars(cls).keys():
            # `unknown` is there only to say which name was misspelt.
            signature = inspect.signature(vars(cls)[function])
            shown = [parameter for name, parameter in signature.parameters.items() if name != "unknown"]
            vars(cls)[function].__signature__ = signature.replace(parameters=shown)

    @abstractmethod
    def add(self, url: str | URL | re.Pattern[str], method: str = "GET", **options: "Unpack[RouteOptions]") -> Route[R]:
        """Register a reply to requests for `url` and return its route."""

    def get(
        self, url: str | URL | re.Pattern[str], *positional: "Never", **options: "Unpack[RouteOptions]"
    ) -> Route[R]:
        """Register a reply to GET requests; see `add`."""
        check_shortcut("get", positional, options)
        return self.add(url, method="GET", **options)

    def post(
        self, url: str | URL | re.Pattern[str], *positional: "Never", **options: "Unpack[RouteOptions]"
    ) -> Route[R]:
        """Register a reply to POST requests; see `add`."""
        check_shortcut("post", positional, options)
        return self.add(url, method="POST", **options)

    def put(
        self, url: str | URL | re.Pattern[str], *positional: "Never", **options: "Unpack[RouteOptions]"
    ) -> Route[R]:
        """Register a reply to PUT requests; see `add`."""
        check_shortcut("put", positional, options)
        return self.add(url, method="PUT", **options)

    def patch(
        self, url: str | URL | re.Pattern[str], *positional: "Never", **options: "Unpack[RouteOptions]"
    ) -> Route[R]:
        """Register a reply to PATCH requests; see `add`."""
        check_shortcut("patch", positional, options)
        return self.add(url, method="PATCH", **options)

    def delete(
        self, url: str | URL | re.Pattern[str], *positional: "Never", **options: "Unpack[RouteOptions]"
    ) -> Route[R]:
        """Register a reply to DELETE requests; see `add`."""
        check_shortcut("delete", positional, options)
        return self.add(url, method="DELETE", **options)

    def head(
        self, url: str | URL | re.Pattern[str], *positional: "Never", **options: "Unpack[RouteOptions]"
    ) -> Route[R]:
        """Register a reply to HEAD requests; see `add`."""
        check_shortcut("head", positional, options)
        return self.add(url, method="HEAD", **options)

    def options(
        self, url: str | URL | re.Pattern[str], *positional: "Never", **options: "Unpack[RouteOptions]"
    ) -> Route[R]:
        """Register a reply to OPTIONS requests; see `add`."""
        check_shortcut("options", positional, options)
        return self.add(url, method="OPTIONS", **options)

    def any(
        self, url: str | URL | re.Pattern[str], *positional: "Never", **options: "Unpack[RouteOptions]"
    ) -> Route[R]:
        """Register a reply to requests with any method; see `add`."""
        check_shortcut("any", positional, options)
        return self.add(url, method="ANY", **options)


def set_signatures(add: Callable[..., Route[Any]]) -> None:
    """Give the shortcuts the arguments of `add`, without the method, and a line on each of them, for `help()`.

    The types are left out, because they make the signature unreadable; the lines name them.
    """
    signature = inspect.signature(add)
    named = [signature.parameters[name] for name in ("self", "url", *RouteOptions.__annotations__)]
    parameters = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in named]
    for name in ("get", "post", "put", "patch", "delete", "head", "options", "any"):
        shortcut = vars(MethodShortcuts)[name]
        shortcut.__signature__ = signature.replace(parameters=parameters, return_annotation=Route)
        first = shortcut.__doc__.partition(";")[0]
        example = _EXAMPLES.get(name, _EXAMPLE).format(name)
        shortcut.__doc__ = f"{first}; return a route.\n\nExample: `{example}`\n\nArguments::\n\n{_ARGUMENTS}"
