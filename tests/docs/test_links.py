"""Every link from one page of this repository to another leads to a page and a heading that are there."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for path in (ROOT / "README.md", *ROOT.glob("packages/*/README.md"), *ROOT.glob("docs/**/*.md"))
    if "_build" not in path.parts
)
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
# Where a README that is shown away from the repository links to.
REPOSITORY = "https://github.com/aiointercept/aiointercept/blob/main/"


def _text(page):
    """Return a page without its code."""
    text = re.sub(r"^( *)(`{3,}|~{3,}).*?^\1\2`*\s*$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]+`", lambda match: match[0].replace("(", "").replace("[", ""), text)


@cache
def _anchors(page):
    """Return what headings are linked to by: the same rule as GitHub's and MyST's."""
    text = re.sub(r"^( *)(`{3,}|~{3,}).*?^\1\2`*\s*$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+\s+(.+?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _links():
    for page in PAGES:
        for match in LINK.finditer(_text(page)):
            target = match[1] or match[2]
            if target.startswith(REPOSITORY):
                yield page, target, ROOT, target.removeprefix(REPOSITORY)
            elif not re.match(r"[a-z]+:", target):
                yield page, target, page.parent, target


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links(page):
    broken = []
    for source, shown, folder, target in _links():
        if source != page:
            continue
        path, _, anchor = unquote(target).partition("#")
        where = (folder / path).resolve() if path else page
        if not where.exists():
            broken.append(f"{shown}: no such file")
        elif anchor and where.suffix == ".md" and anchor not in _anchors(where):
            broken.append(f"{shown}: no such heading")
    assert not broken


def test_there_are_links():
    assert len(list(_links())) > 80


def test_every_page_is_in_the_table_of_contents():
    listed = set()
    for page in PAGES:
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            names = [line for line in block.splitlines() if line and not line.startswith(":")]
            listed |= {(page.parent / f"{name}.md").resolve() for name in names}
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs") and page != ROOT / "docs" / "index.md"}

    assert pages == listed
