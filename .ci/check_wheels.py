"""Install the built wheels, as files, into clean environments and run a small program in each.

`hatch build --all DIR && hatch run wheels:check DIR`. The distribution `aiointercept` has a namesake on the package
index, so nothing of ours is ever installed by name, and each environment is asked where its packages came from.
"""

import argparse
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

CI = Path(__file__).resolve().parent
ROOT = CI.parent
MODULES = {
    "aiointercept": "aiointercept",
    "aiointercept-core": "aiointercept_core",
    "aiointercept-dns": "aiointercept_dns",
    "aiointercept-server": "aiointercept_server",
}
# Each way of use: its program in `smoke/`, the packages installed for it, and what must not come along.
WAYS = {
    "core": (["aiointercept-core"], ["aiohttp"]),
    "server": (["aiointercept-core", "aiointercept-server"], []),
    "dns": (["aiointercept-dns"], []),
    "facade": (list(MODULES), ["pytest"]),
}
ORIGINS = """
import sys
from importlib.metadata import PackageNotFoundError, distribution

ours, present, absent = (argument.split() for argument in sys.argv[1:])
for name in present:
    origin = distribution(name).read_text("direct_url.json") or "the package index"
    assert '"file://' in origin, f"{name} was installed from {origin}, not from a wheel file"
for name in {*ours, *absent} - {*present}:
    try:
        distribution(name)
    except PackageNotFoundError:
        continue
    raise AssertionError(f"{name} was installed along with {present}")
"""


def wheels_in(folder: Path) -> dict[str, Path]:
    """Return the wheel of each package, once it and its sdist hold the package's sources and nothing else."""
    wheels = {}
    for name, module in MODULES.items():
        package = ROOT / "packages" / name
        project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
        stem = f"{module}-{project['version']}"
        wheel = wheels[name] = folder / f"{stem}-py3-none-any.whl"
        listed = subprocess.run(
            ["git", "ls-files", "src"], cwd=package, check=True, capture_output=True, text=True
        ).stdout.split()
        sources = {path.removeprefix("src/") for path in listed}
        about = {"METADATA", "WHEEL", "RECORD", "licenses/LICENSE"}
        if "entry-points" in project:
            about.add("entry_points.txt")
        with zipfile.ZipFile(wheel) as opened:
            compare(wheel, set(opened.namelist()), sources | {f"{stem}.dist-info/{path}" for path in about})
        sdist = folder / f"{stem}.tar.gz"
        rest = {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore"}
        with tarfile.open(sdist) as tarball:
            members = {member.name.removeprefix(f"{stem}/") for member in tarball.getmembers() if member.isfile()}
            compare(sdist, members, set(listed) | rest)
    return wheels


def compare(archive: Path, members: set[str], expected: set[str]) -> None:
    """Exit with a message where an archive does not hold exactly what is `expected`."""
    if members != expected:
        missing, extra = sorted(expected - members), sorted(members - expected)
        sys.exit(
            f"{archive.name}: missing {', '.join(missing) or 'nothing'}; not expected {', '.join(extra) or 'nothing'}"
        )


def try_out(way: str, wheels: dict[str, Path], work: Path) -> None:
    """Run the program of one way of use in an environment that has only its packages."""
    present, absent = WAYS[way]
    environment = work / way
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, environment)
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    files = [wheels[name] for name in present]
    run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *files)
    run(python, "-I", "-c", ORIGINS, " ".join(MODULES), " ".join(present), " ".join(absent), cwd=work)
    run(python, "-I", "-X", "dev", "-W", "error", CI / "smoke" / f"{way}.py", cwd=work)
    print(f"{way}: works from {', '.join(file.name for file in files)}")


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run `command`, and exit as it did where it failed."""
    code = subprocess.run([str(word) for word in command], cwd=cwd, check=False).returncode
    if code:
        sys.exit(code)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="hatch run wheels:check", description=__doc__)
    parser.add_argument("folder", type=Path, help="where `hatch build --all` has put its files")
    wheels = wheels_in(parser.parse_args().folder.resolve())
    with tempfile.TemporaryDirectory() as work:
        for way in WAYS:
            try_out(way, wheels, Path(work))


if __name__ == "__main__":
    main()
