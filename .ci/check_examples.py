"""Check the types of all examples: strict mypy, and pyright, on each document as one module and on docs/examples."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import documents  # noqa: E402

MYPY = ["--strict"]
PYRIGHT = '{"reportRedeclaration": false, "reportMissingModuleSource": false}'


def main() -> int:
    """Write the examples, with the line numbers of their documents, check them and return the worst exit code."""
    with tempfile.TemporaryDirectory() as folder:
        for path in documents.documents():
            write_examples(path, Path(folder))
        for path in (ROOT / "docs" / "examples").glob("*.py"):
            shutil.copy(path, folder)
        Path(folder, "pyrightconfig.json").write_text(PYRIGHT, "utf-8")
        files = sorted(map(str, Path(folder).rglob("*.py")))
        mypy = [sys.executable, "-m", "mypy", "--config-file=", *MYPY, *sys.argv[1:], *files]
        pyright = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--project", folder]
        return max(subprocess.run(command, cwd=folder, check=False).returncode for command in (mypy, pyright))


def write_examples(document: Path, folder: Path) -> None:
    """Write the blocks of a document to modules: one of those that share a namespace, and one of each test file."""
    name = "_".join(document.relative_to(ROOT).with_suffix("").parts).replace("-", "_")
    lines: list[str] = []
    for block in documents.blocks(document.read_text("utf-8")):
        if block.file is None:
            lines += [""] * (block.line - 1 - len(lines)) + block.text.splitlines()
        elif block.file.endswith(".py"):
            file = f"{name}_{block.file.replace('/', '_')}"
            Path(folder, file).write_text("\n" * (block.line - 1) + block.text, "utf-8")
    if lines:
        Path(folder, f"{name}.py").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
