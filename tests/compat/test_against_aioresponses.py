"""The tests in the style of aioresponses pass with aioresponses itself, in an environment of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# The last release of the one, and one of the last of the other that it works with.
REQUIREMENTS = ["aioresponses==0.7.9", "aiohttp==3.13.3", "pytest>=9"]


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)


def install(folder):
    """Make an environment and return its Python; skip where nothing can be installed."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if uv := os.environ.get("HATCH_UV") or shutil.which("uv"):
        steps = [[uv, "venv", "--python", sys.executable, folder], [uv, "pip", "install", "--python", python]]
    else:
        steps = [[sys.executable, "-m", "venv", folder], [python, "-m", "pip", "install"]]
    steps[1] += REQUIREMENTS
    for step in steps:
        done = run(*step)
        if done.returncode:
            pytest.skip(f"cannot install {', '.join(REQUIREMENTS)}: {done.stderr.strip()[-300:]}")
    return python


@pytest.mark.long
def test_the_same_files_pass_with_aioresponses(tmp_path):
    files = sorted(HERE.glob("test_style_*.py"))
    environment = {
        **os.environ,
        "AIORESPONSES_STYLE_LIBRARY": "aioresponses",
        "AIOINTERCEPT_TEST_LOOP": "asyncio",
        "PYTEST_ADDOPTS": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    options = ["-q", "-p", "no:cacheprovider", "--basetemp", tmp_path / "pytest"]
    done = run(install(tmp_path / "env"), "-m", "pytest", *options, *files, cwd=HERE.parents[1], env=environment)
    passed = re.search(r"^(\d+) passed in", done.stdout, re.MULTILINE)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    assert passed
    assert int(passed[1]) >= 70
