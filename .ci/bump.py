"""Give the four packages one version, and each other's exact pins: `hatch run bump 2.1.0`.

`hatch run bump --check` changes nothing; it exits with 1 and a line for each disagreement.
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?")
REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")


def manifests() -> dict[str, Path]:
    """Return each package's `pyproject.toml` by the package's name."""
    return {path.parent.name: path for path in sorted(ROOT.glob("packages/*/pyproject.toml"))}


def disagreements() -> list[str]:
    """Return a sentence for each name, version or pin that is not as in the other packages."""
    projects = {name: tomllib.loads(path.read_text("utf-8"))["project"] for name, path in manifests().items()}
    version = projects["aiointercept"]["version"]
    found = []
    for folder, project in projects.items():
        where = f"packages/{folder}/pyproject.toml"
        if project["name"] != folder:
            found.append(f"{where}: name is {project['name']!r}, expected {folder!r}")
        if project["version"] != version:
            found.append(f"{where}: version is {project['version']!r}, expected {version!r}")
        for requirement in project["dependencies"]:
            match = REQUIREMENT.match(requirement)
            if match and match[0] in projects and requirement != f"{match[0]}=={version}":
                found.append(f"{where}: {requirement!r}, expected '{match[0]}=={version}'")
    return found


def write(version: str) -> None:
    """Write `version` into every package, as its own version and in its pins of the others."""
    packages = manifests()
    names = "|".join(re.escape(name) for name in packages)
    own = re.compile(r'^(version = )"[^"]*"$', re.MULTILINE)
    pin = re.compile(rf'"({names})\s*==[^"]*"')
    for path in packages.values():
        text = own.sub(rf'\g<1>"{version}"', path.read_text("utf-8"), count=1)
        path.write_text(pin.sub(rf'"\g<1>=={version}"', text), "utf-8")


def main() -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="hatch run bump", description=__doc__)
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("version", nargs="?", help="the new version, such as 2.1.0")
    wanted.add_argument("--check", action="store_true", help="only compare, and exit 1 on drift")
    arguments = parser.parse_args()
    if not arguments.check:
        if not VERSION.fullmatch(arguments.version):
            parser.error(f"expected a version such as 2.1.0 or 2.1.0rc1, got {arguments.version!r}")
        write(arguments.version)
    found = disagreements()
    for line in found:
        print(line, file=sys.stderr)
    if not (found or arguments.check):
        print(f"All at {arguments.version}. Now `hatch env prune`: the installed packages keep their old metadata.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
