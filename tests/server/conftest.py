"""A mock for each test that asks for one."""

from collections.abc import Iterator

import pytest
from mock_server import Mock


@pytest.fixture
def mock() -> Iterator[Mock]:
    mock = Mock()
    yield mock
    mock.close()
