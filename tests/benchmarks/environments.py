"""The virtual environments of the peers, made once and kept in the user's cache."""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

__all__ = ["cache_folder", "environment", "variables"]


def cache_folder() -> Path:
    """Return the folder in which environments and results are kept, outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or "~/.cache"
    return Path(base).expanduser() / "aiointercept-benchmarks"


def environment(requirements: list[str]) -> Path:
    """Return the Python of an environment that has `requirements` and nothing of ours.

    Raises `subprocess.CalledProcessError` where they cannot be installed.
    """
    made_from = "\n".join((sys.version, *requirements))
    folder = cache_folder() / f"{requirements[0].partition('=')[0]}-{sha256(made_from.encode()).hexdigest()[:12]}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    complete = folder / "complete"
    if not complete.exists():
        uv = os.environ.get("HATCH_UV") or shutil.which("uv")
        if uv:
            _call(uv, "venv", "--clear", "--python", sys.executable, str(folder))
            _call(uv, "pip", "install", "--python", str(python), *requirements)
        else:
            _call(sys.executable, "-m", "venv", "--clear", str(folder))
            _call(str(python), "-m", "pip", "install", *requirements)
        complete.touch()
    return python


def variables(python: Path) -> dict[str, str]:
    """Return the environment variables for a process of `python`.

    What changes how pytest runs or keeps Python from saving what it compiles is left out. PYTHONPATH is only for the
    Python that runs this: it may lead to our packages, one of which has the name of a peer.
    """
    unset = {"PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONDONTWRITEBYTECODE"}
    if python != Path(sys.executable):
        unset.add("PYTHONPATH")
    return {name: value for name, value in os.environ.items() if name not in unset}


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
