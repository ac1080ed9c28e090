"""Everything that must hold before a release: `hatch run release:check`.

Versions and pins agree, the changelog has the version, sdists and wheels build and hold what they should, their
metadata renders, and the wheels pass the tests in clean environments on each Python found on PATH.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

CI = Path(__file__).resolve().parent
ROOT = CI.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# Each way of use: the packages installed for it, the hatch environment that lists what its tests need, the tests.
WAYS = {
    "core": (["aiointercept_core"], "core", ["tests/core"]),
    "dns": (["aiointercept_dns"], "dns", ["tests/dns"]),
    "facade": (
        ["aiointercept_core", "aiointercept_server", "aiointercept_dns", "aiointercept"],
        "hatch-test",
        ["tests/server", "tests/facade"],
    ),
}


def run(*command: str | Path, **options: object) -> None:
    """Run `command`, and exit as it did where it failed."""
    code = subprocess.run([str(word) for word in command], check=False, **options).returncode  # type: ignore[call-overload]
    if code:
        sys.exit(code)


def check_changelog(version: str) -> None:
    """Exit with a message where the changelog has no entry for `version`."""
    changelog = ROOT / "docs" / "changelog.md"
    if not re.search(rf"^## \[?{re.escape(version)}\b", changelog.read_text("utf-8"), re.MULTILINE):
        sys.exit(f"{changelog.relative_to(ROOT)}: expected an entry '## {version}', there is none")


def pythons() -> list[str]:
    """Return the interpreters on PATH that run and that the packages support."""
    found = []
    for version in PYTHONS:
        path = shutil.which(f"python{version}")
        # A version manager may leave a command that only says that the version is not active.
        if path and subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0:
            found.append(path)
    return found


def test_wheels(python: str, way: str, dist: Path, version: str, work: Path) -> None:
    """Run the tests of one way of use against the wheels, installed as files into an environment of their own."""
    modules, hatch_env, tests = WAYS[way]
    needs = tomllib.loads((ROOT / "hatch.toml").read_text("utf-8"))["envs"][hatch_env]["dependencies"]
    environment = work / f"{Path(python).name}-{way}"
    inside = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    print(f"==> {way} on {Path(python).name}", flush=True)
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", python, environment)
    wheels = [dist / f"{module}-{version}-py3-none-any.whl" for module in modules]
    run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", inside, *wheels, *needs)
    # The tests alone, so that no source folder is near that could be imported in place of a wheel.
    checkout = work / f"{Path(python).name}-{way}-tests"
    shutil.copytree(ROOT / "tests", checkout / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".pytest.toml", checkout)
    run(inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, cwd=checkout)


def main() -> None:
    """Run all checks, stopping at the first that fails."""
    run(sys.executable, CI / "bump.py", "--check")
    manifest = (ROOT / "packages" / "aiointercept" / "pyproject.toml").read_text("utf-8")
    version = tomllib.loads(manifest)["project"]["version"]
    check_changelog(version)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        dist = work / "dist"
        # By itself it would look for the members of the environment in which this runs.
        outside = {name: value for name, value in os.environ.items() if not name.startswith("HATCH_ENV")}
        run("hatch", "build", "--all", dist, cwd=ROOT, env=outside)
        run(sys.executable, CI / "check_wheels.py", dist)
        run(sys.executable, "-m", "twine", "check", "--strict", *sorted(dist.iterdir()))
        interpreters = pythons()
        for python in interpreters:
            for way in WAYS:
                test_wheels(python, way, dist, version, work)
    print(f"{version} is ready; tested on {', '.join(Path(python).name for python in interpreters)}")


if __name__ == "__main__":
    main()
