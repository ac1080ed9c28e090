"""The words that people search the documentation for are in its titles and in its text."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text("utf-8") for path in sorted(DOCS.glob("**/*.md"))}
WORDS = ["cookie", "delay", "fixture", "header", "mock", "patch", "query", "redirect", "regex", "timeout", "websocket"]
# Where the stem is what the search compares.
WORDS += ["retr(y|ies)"]


def headings(page):
    without_code = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_that_people_search_for_is_in_titles_and_text(word):
    pattern = re.compile(rf"\b{word}s?\b", re.IGNORECASE)

    assert [name for name, page in PAGES.items() if any(map(pattern.search, headings(page)))]
    assert len([name for name, page in PAGES.items() if pattern.search(page)]) >= 3


def test_the_glossary_is_in_order():
    terms = re.findall(r"^(\S.*)\n: ", PAGES["glossary.md"], re.MULTILINE)

    assert len(terms) >= 12
    assert terms == sorted(terms, key=str.lower)


def test_there_are_thirty_questions_in_order():
    numbers = re.findall(r"^### (\d+)\. ", PAGES["questions.md"], re.MULTILINE)

    assert numbers == [str(number) for number in range(1, 31)]
