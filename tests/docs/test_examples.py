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


def test_the_demo_shows_the_code_and_what_it_prints():
    command = [sys.executable, EXAMPLES / "demo.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    shown = done.stdout

    assert done.stderr == ""
    assert "| class WeatherClient:" in shown
    assert "| async def test_weather(m: aiointercept) -> None:" in shown
    assert "forecast() returned:   ['sun', 'snow']" in shown
    assert "the mock received:     GET https://api.weather.example/v2/forecast?city=Bern&days=2" in shown
    assert "made on purpose" in shown
    assert shown.count("no route matches GET") == 1
    assert shown.splitlines()[-1].startswith("The demo succeeded")
