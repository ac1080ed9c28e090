"""The checks at the end of a block or a test."""

from typing import NamedTuple, Protocol

from ._errors import CallbackErrors, is_hidden, note_errors
from ._pytest_bridge import ReportedMock, has_failed, option_or_ini, unreported_exception

__all__ = ["Checks"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


class Checked(ReportedMock, Protocol):
    """A mock whose routes and requests are checked."""

    def assert_all_called(self) -> None: ...
    def assert_all_matched(self) -> None: ...


class Checks(NamedTuple):
    """Which checks are made."""

    raise_callback_errors: bool
    assert_all_called: bool
    assert_all_matched: bool

    @classmethod
    def or_ini(
        cls, raise_callback_errors: bool | None, assert_all_called: bool | None, assert_all_matched: bool | None
    ) -> "Checks":
        """Return checks of which those left at `None` are as pytest's configuration says."""
        return cls(
            option_or_ini(raise_callback_errors, "raise_callback_errors", True),
            option_or_ini(assert_all_called, "assert_all_called", False),
            option_or_ini(assert_all_matched, "assert_all_matched", False),
        )

    def replaced_by(self, *options: bool | None) -> "Checks":
        """Return the checks with `options` in their place, in the same order; `None` replaces none."""
        return Checks(*(own if option is None else option for own, option in zip(self, options, strict=True)))

    def run_last(self, mock: Checked, callback_errors: CallbackErrors, exc: BaseException | None = None) -> None:
        """Run the checks of a mock that was stopped; later errors of the user's functions are only logged."""
        try:
            self.run(mock, callback_errors, exc)
        finally:
            callback_errors.are_raised = False
            callback_errors.log()

    def run(self, mock: Checked, callback_errors: CallbackErrors, exc: BaseException | None = None) -> None:
        """Raise what went wrong, the errors of the user's functions first.

        If the block is left with an exception, `exc`, the errors are noted on it and nothing is raised; so it is if the
        test has ended with an exception that is still to be reported. They are logged if nobody is shown the exception.
        """
        are_told = self.raise_callback_errors and not is_hidden(exc)
        if not are_told:
            callback_errors.log()
        taken = callback_errors.take()
        errors = taken if are_told else []
        exc = exc or unreported_exception(mock)
        if exc is not None:
            note_errors(exc, errors)
            return
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise BaseExceptionGroup("several callbacks raised errors", errors)
        if has_failed(mock):
            return
        if self.assert_all_matched:
            mock.assert_all_matched()
        if self.assert_all_called:
            mock.assert_all_called()
