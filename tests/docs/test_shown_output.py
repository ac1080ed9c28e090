"""The output that the README and the tutorial show is what a user sees."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from aiointercept import aiointercept

README_PATH = Path(__file__).resolve().parents[2] / "README.md"
README = README_PATH.read_text("utf-8")
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


@pytest.mark.long
def test_the_first_example_runs_as_it_is_pasted(tmp_path):
    def block(language):
        return re.search(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[1]

    (tmp_path / "test_issues.py").write_text(block("python"), "utf-8")
    (tmp_path / "pytest.ini").write_text(block("ini"), "utf-8")
    command = block("console").splitlines()[-1].removeprefix("python ")

    assert output_of(command, tmp_path) == without_time(block("text"))


@pytest.mark.long
def test_the_tutorial_runs_as_one_file(tmp_path):
    tutorial = (README_PATH.parent / "docs" / "tutorial.md").read_text("utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", tutorial, re.MULTILINE | re.DOTALL)
    code = "\n\n".join(text for language, text in blocks if language == "python")
    (tmp_path / "test_parcels.py").write_text(code, "utf-8")
    (tmp_path / "pytest.ini").write_text(dict(blocks)["ini"], "utf-8")

    assert output_of("-m pytest -q", tmp_path) == without_time(dict(blocks)["text"])


def output_of(command, folder):
    alone = {**os.environ, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "", "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=folder,
        env=alone,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return without_time(done.stdout)


def without_time(text):
    return re.sub(r" in \d.*s", "", text)


def test_the_readme_is_short_and_its_commands_are_those_of_the_gate():
    gate = README_PATH.parent / ".ci" / "run"

    assert len(README.splitlines()) < 120
    for command in ("hatch test", "hatch run demo"):
        assert f"\npython -m pip install -qq hatch && {command}\n" in README
        assert re.search(rf"^step '.*' {command}$", gate.read_text("utf-8"), re.MULTILINE)
