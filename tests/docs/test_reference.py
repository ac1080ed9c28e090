"""The reference has every public name, and the page of errors every message, and no others."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = {
    "aiointercept": "aiointercept.md",
    "aiointercept.compat": "compat.md",
    "aiointercept_core": "core.md",
    "aiointercept_dns": "dns.md",
    "aiointercept_dns.failures": "dns.md",
    "aiointercept_pytest": "pytest.md",
    "aiointercept_server": "server.md",
}
# In a message on the page, for what varies; in a message in the sources, for what is filled in.
HOLE = "..."
# Caught where they are raised: nobody ever reads them.
INTERNAL = {"the URL has no host: ..."}
# What raises, or has others raise.
RAISING = re.compile(
    r"(Error|Exception|ExceptionGroup|\bkind|\.fail|\busage_error|\.set_exception|\.add_note)$|^logger\.\w+$"
)
# In front of each message about a marker.
MARKER = "@pytest.mark.aiointercept: "


@pytest.mark.parametrize("package", PAGES)
def test_every_public_name_is_in_the_reference(package):
    text = (REFERENCE / PAGES[package]).read_text("utf-8")
    missing = [name for name in importlib.import_module(package).__all__ if not re.search(rf"\b{name}\b", text)]

    assert not missing


def test_every_public_member_of_the_mock_is_in_the_reference():
    mock = importlib.import_module("aiointercept").aiointercept
    text = (REFERENCE / "aiointercept.md").read_text("utf-8")
    members = [name for name in dir(mock) if not name.startswith("_")]

    assert [name for name in members if f"aiointercept.aiointercept.{name}\n" not in text] == []


def _messages():
    """Yield all texts of the sources, with holes."""
    for _, tree, variables in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant | ast.JoinedStr) and (text := _text(node, variables)):
                yield text


def _raised():
    """Yield where the sources raise or warn, with the text given there."""
    for path, tree, variables in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and RAISING.search(ast.unparse(node.func)):
                text = _text(node.args[0], variables)
                if text and len(_words(text.removeprefix(MARKER))) >= 3 and text not in INTERNAL:
                    yield f"{path.name}:{node.lineno}", text


def _sources():
    """Yield each module with the values of the variables that are assigned once in it."""
    for path in sorted(ROOT.glob("packages/*/src/**/*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        assigned = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                assigned.setdefault(node.targets[0].id, []).append(node.value)
        yield path, tree, {name: values[0] for name, values in assigned.items() if len(values) == 1}


def _text(node, variables):
    """Return the text that an expression stands for, on one line; `None` if it is not a text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%[\d.]*\w", HOLE, node.value).replace("\n", " ")
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, variables) or HOLE for part in node.values)
    if isinstance(node, ast.FormattedValue) and node.conversion == -1:
        return _text(node.value, variables)
    if isinstance(node, ast.Name) and node.id in variables:
        return _text(variables[node.id], variables)
    return None


def _words(text):
    return re.findall(r"[a-zA-Z]{2,}", text.replace(HOLE, " "))


def _entries():
    page = (REFERENCE / "errors.md").read_text("utf-8")
    listed = re.findall(r"^`(.+)`\n:", page, re.MULTILINE)
    also = page[page.index("In `aiointercept.compat` the messages") :].split("\n\n")[0]
    listed = [entry.removeprefix(MARKER) for entry in listed]
    return listed + [entry for entry in re.findall(r"`([^`]+)`", also) if len(_words(entry)) > 1]


def _pattern(entry):
    """Return what finds a text with other things in its holes."""
    return re.compile(".*".join(re.escape(part) for part in entry.split(HOLE)), re.DOTALL)


def test_every_entry_is_a_message_of_the_sources():
    messages = "\n".join(_messages())
    unknown = []
    for entry in _entries():
        # A message may be put together from several texts; each of its parts is in one of them.
        parts = [part.strip(" ;:") for part in re.split(r"\.\.\.|, (?:got|as)\b", entry) if len(_words(part)) >= 2]
        if not all(part in messages for part in parts):
            unknown.append(entry)

    assert not unknown


def test_every_message_has_an_entry():
    # An entry may leave out the end, a message in the sources may begin with a hole.
    entries = [(entry, _pattern(entry)) for entry in _entries()]
    missing = [
        f"{where}: {text}"
        for where, text in _raised()
        if not any(pattern.search(text) or _pattern(text).search(entry) for entry, pattern in entries)
    ]

    assert not missing
