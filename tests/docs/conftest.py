"""Every Python block of the documentation is run, and what it defines as a test is a test of this suite."""

from documents import Documents


def pytest_collect_file(file_path, parent):
    if file_path.name != "test_documents.py":
        return None
    return Documents.from_parent(parent, name="documents", path=file_path)
