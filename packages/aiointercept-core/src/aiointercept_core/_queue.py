"""The queue of replies registered for one thing: they are given in order, each as often as it was registered."""

from ._mock_response import MockResponse
from ._wording import shorten

__all__ = ["ReplyQueue"]


class ReplyQueue:
    """The registrations for one method and URL (or pattern): at most one repeats for ever, the last.

    A `lenient` one takes replies behind one that repeats for ever; they are never reached.
    """

    __slots__ = ("_lenient", "_position", "_spent", "responses")

    def __init__(self, *, lenient: bool = False) -> None:
        self.responses: list[MockResponse] = []
        self._lenient = lenient
        self._position = 0
        self._spent = 0

    def append(self, response: MockResponse) -> None:
        """Add one at the end; one that repeats for ever takes the place of another.

        Raises `ValueError`, and changes nothing, for one with an end behind one that repeats for ever.
        """
        last = self.responses[-1] if self.responses else None
        if last is not None and last.remaining is None and not self._lenient:
            if response.remaining is not None:
                raise ValueError(
                    f"repeat: expected no reply with an end behind repeat=True, which {shorten(str(last))} has, "
                    f"got {response.remaining}; it could never be reached: register it before"
                )
            self.responses.pop()
        self.responses.append(response)

    def current(self) -> MockResponse | None:
        """Return the first registration that is not used up."""
        responses = self.responses
        while self._position < len(responses):
            response = responses[self._position]
            if response.remaining != 0:
                return response
            self._spent += response.call_count
            self._position += 1
        return None

    def rewind(self) -> None:
        """Look again from the first: one that was used up may have been given back."""
        self._position = self._spent = 0

    def used_up_after(self) -> int | None:
        """Return after how many calls everything here was used up, `None` where something is left."""
        return self._spent if self.current() is None else None
