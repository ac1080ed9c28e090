"""The files under docs/examples run as they stand."""

import asyncio
import inspect
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


@pytest.mark.parametrize("name", [path.name for path in sorted(EXAMPLES.glob("*.py")) if path.name != "demo.py"])
def test_an_example(name):
    tests = [value for key, value in runpy.run_path(str(EXAMPLES / name)).items() if key.startswith("test_")]

    assert tests
    for test in tests:
        if inspect.iscoroutinefunction(test):
            asyncio.run(test())
        else:
            test()


def test_the_demo_shows_both_sides():
    shown = subprocess.run([sys.executable, EXAMPLES / "demo.py"], capture_output=True, text=True, check=True).stdout

    assert "the client got:  ['sun', 'snow']" in shown
    assert "the server received:  GET https://api.weather.example/v2/forecast?city=Bern&days=2" in shown
    assert "'Authorization': 'Bearer secret'" in shown
