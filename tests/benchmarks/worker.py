"""One subject in a process of its own: commands come in as JSON lines, answers go out as JSON lines.

`{"set_up": NAME}` sets up a scenario, `{"run": SECONDS}` repeats its step for that long and answers with the mean time
of one, `{"tear_down": true}` ends it. What goes wrong is answered as `{"missing": WHY}`.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from benchmarks.scenarios import SCENARIOS, Scenario, Step
from benchmarks.subjects import SUBJECTS, Subject, Unsupported


class Worker:
    """The subject, and the scenario that is set up."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._scenario: Scenario
        self._step: Step
        self._stack = AsyncExitStack()

    async def set_up(self, name: str) -> dict[str, Any]:
        """Enter the block of a scenario and do its step once."""
        self._scenario = SCENARIOS[name]
        self._step = await self._stack.enter_async_context(self._scenario.set_up(self._subject))
        if self._scenario.unit == "s":
            await self._step()
        return {}

    async def run(self, seconds: float) -> dict[str, Any]:
        """Repeat the step for `seconds`, at least once."""
        step, clock = self._step, time.perf_counter
        if seconds:
            gc.collect()
        if self._scenario.unit != "s":
            return {"value": await step()}
        steps, start = 0, clock()
        while (now := clock()) < start + seconds or not steps:
            await step()
            steps += 1
        return {"value": (now - start) / steps}

    async def tear_down(self, _: bool) -> dict[str, Any]:
        """Leave the block of the scenario."""
        await self._stack.aclose()
        return {}


def main() -> None:
    """Serve the commands on stdin until it is closed."""
    answers = sys.stdout
    # What a library prints is no answer.
    sys.stdout = sys.stderr
    worker = Worker(SUBJECTS[sys.argv[1]].make())
    commands: dict[str, Callable[[Any], Any]] = {
        "set_up": worker.set_up,
        "run": worker.run,
        "tear_down": worker.tear_down,
    }
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            ((command, argument),) = json.loads(line).items()
            try:
                answer = runner.run(commands[command](argument))
            except Unsupported as exc:
                answer = {"missing": str(exc)}
            except Exception as exc:
                answer = {"missing": f"fails: {type(exc).__name__}: {exc}".partition("\n")[0][:100]}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
