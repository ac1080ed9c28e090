"""The page for contributors names what exists, and the way that a request really takes."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "contributing.md").read_text("utf-8")
MODULES = "## The modules"
WAY = "## The way of one request"
LAWS = "## The laws"
PACKAGES = {
    "aiointercept": "aiointercept",
    "core": "aiointercept_core",
    "dns": "aiointercept_dns",
    "server": "aiointercept_server",
}

# Prints the functions of ours that one call runs, in the order in which each thread first calls them. With an argument,
# the mock that answers has another one inside it.
TRACE = """
import asyncio, contextlib, json, pathlib, sys, threading

import aiohttp

from aiointercept import CallbackResult, aiointercept

called = {}


def trace(frame, event, arg):
    path = pathlib.Path(frame.f_code.co_filename)
    if event == "call" and path.parent.name.startswith("aiointercept"):
        name = f"{path.parent.name}.{path.stem}.{frame.f_code.co_name}"
        called.setdefault(threading.current_thread().name, {})[name] = None


async def main():
    async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
        m.get("https://api.example.com/", callback=lambda url, **kwargs: CallbackResult())
        async with aiointercept(mock_external_urls=True) if sys.argv[1:] else contextlib.nullcontext() as inner:
            if inner is not None:
                inner.get("https://api.example.com/inner")
            called.clear()
            sys.setprofile(trace)
            await session.get("https://api.example.com/")
            sys.setprofile(None)


threading.setprofile(trace)
asyncio.run(main())
print(json.dumps([list(names) for names in called.values()]))
"""


def section(start, end):
    return PAGE[PAGE.index(start) : PAGE.index(end)]


def steps():
    """Return the functions of the way of one request, each once, as `package.module.function`."""
    rows = re.findall(r"^\| \d+ \| (\w+) \| (.+?) \|", section(WAY, LAWS), re.MULTILINE)
    named = [f"{PACKAGES[package]}.{name}" for package, names in rows for name in re.findall(r"`(.+?)`", names)]
    return list(dict.fromkeys(named))


def traced(*arguments):
    """Return the functions that each thread calls, as TRACE prints them."""
    command = [sys.executable, "-c", TRACE, *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)


def functions(path):
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_modules_that_are_named_are_all_modules():
    for package in (ROOT / "packages").iterdir():
        row = re.search(rf"^\| `packages/{package.name}` \|(.*)$", section(MODULES, WAY), re.MULTILINE)[1]
        folder = package / "src" / package.name.replace("-", "_")
        modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}

        named = set(re.findall(r"`(\w+)`", row))
        assert {name for name in named if name in modules or name.startswith("_")} == modules


def test_every_file_that_is_named_is_there():
    files = {f"{path.parent.name}/{path.name}" for path in ROOT.glob("packages/*/src/**/*.py")}

    assert {f"{folder}/{name}" for folder, name in re.findall(r"`(aiointercept\w*)/(\w+\.py)`", PAGE)} <= files


def test_every_function_that_is_named_is_there():
    ours = list(ROOT.glob("packages/*/src/**/*.py"))
    known = {f"{path.stem}.{name}" for path in ours for name in functions(path)}
    named = re.findall(r"`(_\w+\.\w+)`", section(WAY, LAWS))

    assert len(named) > 15
    assert set(named) <= known


def test_a_request_takes_the_way_that_is_described():
    threads, expected = traced(), steps()

    assert set(expected) <= {name for names in threads for name in names}
    for names in threads:
        assert [name for name in names if name in expected] == [name for name in expected if name in names]


def test_with_nested_mocks_the_reply_is_consumed_before_the_request_is_recorded():
    steps_of_registry = ("aiointercept_core._registry.reserve", "aiointercept_core._registry.match")

    assert not any(steps_of_registry[0] in names for names in traced())
    assert [name for names in traced("nested") for name in names if name in steps_of_registry] == [*steps_of_registry]


def test_every_command_that_is_named_is_there():
    environments = tomllib.loads((ROOT / "hatch.toml").read_text("utf-8"))["envs"]
    known = {f"{name}:{script}" for name, one in environments.items() for script in one.get("scripts", {})}
    known |= set(environments["default"]["scripts"])

    assert set(re.findall(r"`hatch run ([\w:]+)", PAGE)) <= known
