"""The journal: every request in the order in which its reply was chosen."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from yarl import URL

from ._mock_response import MockResponse
from ._request import Request
from ._url import Key, request_key

if TYPE_CHECKING:
    from _collections_abc import dict_items, dict_keys, dict_values

__all__ = ["Journal", "Record", "RequestLog"]

R = TypeVar("R", bound=Request)
V = TypeVar("V")


@dataclass(slots=True)
class Record(Generic[R]):
    """One recorded request: its key, itself, and the registration that answered it.

    `response` is `None` for a request that nothing answered; `explanation` then says why, and `missed` that nothing
    registered matched. A transport may note the `status` it sent, and after how many `seconds`.
    """

    key: Key
    request: R
    response: MockResponse | None
    explanation: str | None
    missed: bool = False
    status: int | None = None
    seconds: float | None = None


class RequestLog(dict[tuple[str, URL], list[V]]):
    """What was recorded of requests, by `(METHOD, normalised URL)`; a key that is looked up is normalised first.

    It is live. Iterating goes over the keys as they were at the start, since requests may arrive meanwhile.
    """

    def __getitem__(self, key: tuple[str, str | URL]) -> list[V]:
        return super().__getitem__(_normalise_key(key))

    def __contains__(self, key: object) -> bool:
        try:
            return super().__contains__(_normalise_key(key))
        except (TypeError, ValueError):
            return False

    def get(self, key: tuple[str, str | URL], default: Any = None) -> Any:
        return super().get(_normalise_key(key), default)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(super().keys()))

    def _snapshot(self) -> dict[Key, list[V]]:
        # Not `copy()`: for a subclass with an `__iter__` of its own, that asks `keys()`.
        return dict(list(super().items()))

    def keys(self) -> "dict_keys[Key, list[V]]":
        return self._snapshot().keys()

    def values(self) -> "dict_values[Key, list[V]]":
        return self._snapshot().values()

    def items(self) -> "dict_items[Key, list[V]]":
        return self._snapshot().items()


class Journal(Generic[R]):
    """The requests of one mock, in order and by key."""

    def __init__(self) -> None:
        self.records: list[Record[R]] = []
        self.requests: RequestLog[R] = RequestLog()

    def append(self, record: Record[R]) -> None:
        """Add `record`. Callers hold the registry's lock."""
        self.records.append(record)
        # Past the look-up by any spelling: this key is normalised. Readers on other threads never see an empty list.
        requests = dict.get(self.requests, record.key)
        if requests is None:
            self.requests[record.key] = [record.request]
        else:
            requests.append(record.request)


def _normalise_key(key: Any) -> Key:
    if not isinstance(key, tuple) or len(key) != 2 or not isinstance(key[0], str):
        raise TypeError(f"expected a key (METHOD, URL), got {key!r}")
    return request_key(*key)
