"""What runs the documentation can fail: a false statement in any kind of block is a failed test.

The blocks of the documentation itself are collected beside this module, by `conftest.py`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from documents import Block, blocks, documents

TESTS = Path(__file__).resolve().parents[1]

CONFTEST = f"""
import runpy, sys
sys.path.insert(0, {str(TESTS)!r})
from documents import Document

pytest_pyfunc_call = runpy.run_path({str(TESTS / "conftest.py")!r})["pytest_pyfunc_call"]

def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".md":
        return Document.from_parent(parent, path=file_path)
"""

DOCUMENT = """
A statement at the top of a block:

```python
assert 1 == 1
```
```python
assert 1 == 2
```

What one block defines is there in the next:

```python
import pytest

value = 3

@pytest.fixture
def doubled():
    return value * 2
```
```python
def test_true(doubled):
    assert doubled == 6

def test_false(doubled):
    assert doubled == 7

async def test_async_true():
    assert value == 3

async def test_async_false():
    assert value == 4

class TestClass:
    def test_true(self, doubled):
        assert doubled == 6

    async def test_false(self):
        assert value == 4
```

A name may be used again:

```python
async def test_true():
    assert value == 4
```

1. In a list:

   ```python
   def test_in_a_list():
       assert value == 4
   ```

Neither of these is run:

```text
assert 1 == 2
```
```console
$ false
```

Files:

<!-- file: conftest.py -->
```python
import pytest

@pytest.fixture
def from_conftest():
    return 1
```

<!-- file: test_file.py -->
```python
def test_true(from_conftest):
    assert from_conftest == 1
```

<!-- file: test_other_file.py -->
```python
def test_false(from_conftest):
    assert from_conftest == 2
```

```python
not python
```
"""

OUTCOMES = {
    "5::runs": "PASSED",
    "8::runs": "FAILED",
    "14::runs": "PASSED",
    "23::test_true": "PASSED",
    "23::test_false": "FAILED",
    "23::test_async_true": "PASSED",
    "23::test_async_false": "FAILED",
    "23::TestClass::test_true": "PASSED",
    "23::TestClass::test_false": "FAILED",
    "46::test_true": "FAILED",
    "53::test_in_a_list": "FAILED",
    "test_file.py:79": "PASSED",
    "test_other_file.py:85": "FAILED",
    "90::runs": "FAILED",
}


@pytest.mark.long
def test_a_false_statement_in_any_kind_of_block_is_a_failure(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "document.md").write_text(DOCUMENT)
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "document.md"]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=60, check=False)
    outcomes = {}
    for line in done.stdout.splitlines():
        test, _, outcome = line.partition(" ")
        if test.startswith("document.md") and "[" in outcome:
            outcomes[test.removeprefix("document.md").lstrip(":")] = outcome.split()[0]
    assert outcomes == OUTCOMES, done.stdout + done.stderr
    # A failure is shown at its place in the document.
    assert "document.md:33: AssertionError" in done.stdout


def test_blocks_are_found_with_their_lines_and_files():
    text = "```python\na = 1\n```\n\n<!-- file: x.ini -->\n\n```ini\nb\n```\ntext\n````python\n```\n````\n"
    assert blocks(text) == [Block(2, "a = 1\n", None), Block(8, "b\n", "x.ini"), Block(12, "```\n", None)]


@pytest.mark.parametrize("info", ["", "py", "Python", "python3", "pycon", "{code-block} python"])
def test_a_block_that_looks_like_python_cannot_escape(info):
    with pytest.raises(ValueError, match="line 1: expected"):
        blocks(f"```{info}\nassert False\n```\n")


def test_all_documents_are_found():
    names = [path.relative_to(TESTS.parent).as_posix() for path in documents()]
    assert {"README.md", "packages/aiointercept/README.md", "packages/aiointercept-core/README.md"} <= {*names}
    assert len([name for name in names if name.startswith("packages/")]) == 4
    assert all(path.is_file() for path in documents())
