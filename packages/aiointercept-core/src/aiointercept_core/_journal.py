"""The journal: the recorded requests, in the order in which they were matched."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from yarl import URL

from ._format import describe_value
from ._request import Request
from ._route import Route
from ._urls import Key, request_key

if TYPE_CHECKING:
    from _collections_abc import dict_items, dict_keys, dict_values

__all__ = ["Journal", "Record", "RequestLog"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

R = TypeVar("R", bound=Request)
V = TypeVar("V")


@dataclass(slots=True)
class Record(Generic[R]):
    """One recorded request, with its key and the route that answered it.

    `route` is `None` for a request that no route answered; `explanation` then says why, and `unmatched` is true if no
    route had a reply for it. A transport may set the `status` that was sent and the `seconds` until the reply was
    chosen, before its delay.
    """

    key: Key
    request: R
    route: Route[Any] | None
    explanation: str | None
    unmatched: bool = False
    status: int | None = None
    seconds: float | None = None


class RequestLog(dict[tuple[str, URL], list[V]]):
    """Recorded requests by `(METHOD, normalised URL)`; keys are normalised before they are looked up.

    New requests are added while they arrive. Iteration uses a copy of the keys, so it is safe meanwhile.
    """

    def __getitem__(self, key: tuple[str, str | URL]) -> list[V]:
        return super().__getitem__(self.find_key(key))

    def __contains__(self, key: object) -> bool:
        try:
            return super().__contains__(self.find_key(key))
        except (TypeError, ValueError):
            return False

    def get(self, key: tuple[str, str | URL], default: Any = None) -> Any:
        return super().get(self.find_key(key), default)

    def find_key(self, key: Any) -> Key:
        """Return the key under which the requests for `key` are recorded; a subclass may have keys of another form."""
        if not isinstance(key, tuple) or len(key) != 2 or not isinstance(key[0], str):
            raise TypeError(
                f"the key must be a pair (METHOD, URL), got {describe_value(key)}; write requests['GET', url]"
            )
        return request_key(*key)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(super().keys()))

    def _snapshot(self) -> dict[Key, list[V]]:
        # `dict(self)` would call `keys()`, which is based on this.
        return dict(list(super().items()))

    def keys(self) -> "dict_keys[Key, list[V]]":
        return self._snapshot().keys()

    def values(self) -> "dict_values[Key, list[V]]":
        return self._snapshot().values()

    def items(self) -> "dict_items[Key, list[V]]":
        return self._snapshot().items()


class Journal(Generic[R]):
    """The recorded requests of one registry, in order and by key."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []
        self.clear()

    def clear(self) -> None:
        """Forget all recorded requests; the caller holds the lock of the registry."""
        self.records: list[Record[R]] = []
        self.requests: RequestLog[R] = RequestLog()

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called after each recorded request and by `notify`; return a function that ends this.

        It is called on any thread and with the lock of the registry held: it must neither wait nor raise.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def append(self, record: Record[R]) -> None:
        """Add `record`; the caller holds the lock of the registry."""
        self.records.append(record)
        # The key is normalised already.
        requests = dict.get(self.requests, record.key)
        if requests is None:
            # Not `setdefault(key, [])`: readers on other threads must not see an empty list.
            self.requests[record.key] = [record.request]
        else:
            requests.append(record.request)
        if self._listeners:
            self.notify()

    def notify(self) -> None:
        """Call the listeners."""
        for listener in self._listeners[:]:
            listener()
