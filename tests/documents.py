"""Markdown documents as tests: every Python block is run, and the tests it defines are tests of the suite.

The blocks of a document share one namespace, in order. A block runs when it is collected; whatever pytest finds in a
module with its definitions (functions, classes, fixtures of this and of earlier blocks) is collected, and a block that
defines no test is one itself. After the comment `<!-- file: NAME -->` a block, in whatever language, is written to a
file of that name instead, next to the others of its document; a `test_*.py` among them is run by a pytest of its own.
"""

import re
import subprocess
import sys
import tempfile
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

_OPENING = re.compile(r"(?P<indent> *)(?P<fence>```+|~~~+)(?P<info>.*)")
_COMMENT = re.compile(r" *<!-- file: (?P<name>[\w./-]+) -->")
_UNRUN_PYTHON = re.compile(r"(py.*|\{code(-block)?\} *py.*)?", re.IGNORECASE)
_FIXTURE = type(pytest.fixture(lambda: None))


def documents():
    """Return the paths of all documents of the project."""
    return [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md")), *sorted(ROOT.glob("docs/**/*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block of Python, or of whatever a comment has named a file for; `line` is that of its first line."""

    line: int
    text: str
    file: str | None


def blocks(text):
    """Return the blocks of a document that are run or written to files."""
    found, file = [], None
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        if opening := _OPENING.match(line):
            indent, fence, info = opening["indent"], opening["fence"], opening["info"].strip()
            inner = []
            for _, line_inside in lines:
                if re.fullmatch(rf" *{fence}+ *", line_inside):
                    break
                inner.append(line_inside[len(indent) :] + "\n")
            if file is not None or info == "python":
                found.append(Block(number + 1, "".join(inner), file))
            elif _UNRUN_PYTHON.fullmatch(info):
                raise ValueError(f"line {number}: expected ```python, or a language that is not run, got {info!r}")
            file = None
        elif line.strip():
            comment = _COMMENT.fullmatch(line)
            file = comment["name"] if comment else None
    return found


class Documents(pytest.Collector):
    """All documents of the project."""

    def collect(self):
        for path in documents():
            yield Document.from_parent(self, path=path)


class Document(pytest.File):
    """One document; what its blocks define is in `namespace`, what they stand for as files in `files`."""

    def collect(self):
        self.namespace = types.ModuleType(f"document_{re.sub('[^A-Za-z0-9]', '_', self.nodeid)}")
        self.files = {}
        # Dataclasses and the like look for the module of a class.
        sys.modules[self.namespace.__name__] = self.namespace
        for block in blocks(self.path.read_text("utf-8")):
            if block.file is None:
                yield NamespaceBlock.from_parent(self, block=block)
            else:
                self.files[block.file] = block.text
                if Path(block.file).match("test_*.py"):
                    yield FileBlock.from_parent(self, block=block, files=dict(self.files))


class NamespaceBlock(pytest.Module):
    """What one block defines, as a module."""

    def __init__(self, *, parent, block, **options):
        # Its id is `path:line`.
        super().__init__(parent=parent, path=parent.path.with_name(f"{parent.path.name}:{block.line}"), **options)
        # pytest asks the hooks of the conftest.py near this path.
        self.path = parent.parent.path if isinstance(parent.parent, Documents) else parent.path
        self._block = block

    @classmethod
    def from_parent(cls, parent, **options):
        return pytest.Collector.from_parent.__func__(cls, parent, **options)

    def _getobj(self):
        return self._defined

    def collect(self):
        document, namespace = self.parent, vars(self.parent.namespace)
        before = dict(namespace)
        error = None
        try:
            # Line numbers are those of the document.
            exec(compile("\n" * (self._block.line - 1) + self._block.text, document.path, "exec"), namespace)
        except Exception as exc:
            error = exc
        self._defined = types.ModuleType(document.namespace.__name__)
        for name, value in namespace.items():
            if name not in before or before[name] is not value or isinstance(value, _FIXTURE):
                setattr(self._defined, name, value)
        tests = [] if error else list(super().collect())
        return tests or [Ran.from_parent(self, name="runs", error=error)]


class Ran(pytest.Item):
    """A block that defines no test, or that did not come as far."""

    def __init__(self, *, error, **options):
        super().__init__(**options)
        self._error = error

    def runtest(self):
        if self._error is not None:
            raise self._error


class FileBlock(pytest.Item):
    """A test file, run by a pytest of its own among the files of its document."""

    def __init__(self, *, parent, block, files):
        super().__init__(name=f"{block.file}:{block.line}", parent=parent)
        self._file, self._files = block.file, files

    def runtest(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in self._files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
            command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", self._file]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            pytest.fail(f"{self._file} of {self.parent.path} failed:\n{done.stdout}{done.stderr}", pytrace=False)
