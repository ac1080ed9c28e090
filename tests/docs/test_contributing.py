"""The page for contributors names files and commands that are there."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "contributing.md").read_text("utf-8")


def test_every_module_that_is_named_is_there():
    modules = {path.stem for path in ROOT.glob("packages/*/src/**/*.py")}
    files = {f"{path.parent.name}/{path.name}" for path in ROOT.glob("packages/*/src/**/*.py")}
    house = PAGE[PAGE.index("## The house") : PAGE.index("## The laws")]

    assert set(re.findall(r"`(_[a-z_]+)`", house)) <= modules
    assert {f"{folder}/{name}" for folder, name in re.findall(r"`(aiointercept\w*)/(_\w+\.py)`", PAGE)} <= files


def test_every_command_that_is_named_is_there():
    environments = tomllib.loads((ROOT / "hatch.toml").read_text("utf-8"))["envs"]
    known = {f"{name}:{script}" for name, one in environments.items() for script in one.get("scripts", {})}
    known |= set(environments["default"]["scripts"])

    assert set(re.findall(r"`hatch run ([\w:]+)", PAGE)) <= known
