"""The output that the README shows is what a user sees."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from aiointercept import aiointercept

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
URL = "https://api.example.com/issues"


def test_a_failed_assertion():
    async def post():
        async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
            m.post(URL, status=201)
            await session.post(URL, json={"title": "Crash", "labels": ["bug"]})
        return m

    m = asyncio.run(post())
    with pytest.raises(AssertionError) as caught:
        m.assert_called_once_with(URL, "POST", json={"title": "Crash", "labels": ["bug", "urgent"]})

    shown = "\n".join([f"AssertionError: {caught.value}", *caught.value.__notes__])
    assert f"```text\n{shown}\n```" in README


def test_an_unmatched_request():
    async def get():
        async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
            m.get(f"{URL}?state=closed", payload=[])
            await session.get(f"{URL}?state=open")

    with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
        asyncio.run(get())

    assert f"```text\n{caught.value}\n```" in README


def test_the_first_example_runs_as_it_is_pasted(tmp_path):
    def block(language):
        return re.search(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[1]

    (tmp_path / "test_issues.py").write_text(block("python"), "utf-8")
    (tmp_path / "pytest.ini").write_text(block("ini"), "utf-8")
    command, *shown = block("console").split("$ python ")[-1].splitlines()
    alone = {**os.environ, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "", "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, *command.split()], cwd=tmp_path, env=alone, capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert re.sub(r"in .*s", "", done.stdout) == re.sub(r"in .*s", "", "\n".join(shown) + "\n")


def test_the_readme_is_short_and_its_commands_are_those_of_the_gate():
    gate = Path(__file__).resolve().parents[2] / ".ci" / "run"

    assert len(README.splitlines()) < 120
    for command in ("hatch test", "hatch run demo"):
        assert f"\npython -m pip install -qq hatch && {command}\n" in README
        assert re.search(rf"^step '.*' {command}$", gate.read_text("utf-8"), re.MULTILINE)
