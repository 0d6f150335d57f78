"""Names of files as the reader of a report knows them."""

import pytest

from pytest_noblock.report.places import in_repository, is_absolute, short, uri

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize(
    ("file", "folder", "name"),
    [
        ("app/main.py", "services/api", "services/api/app/main.py"),
        ("app\\main.py", "services/api", "services/api/app/main.py"),
        ("app/main.py", ".", "app/main.py"),
        ("app/main.py", "", "app/main.py"),
        ("/opt/app/main.py", "services/api", "/opt/app/main.py"),
    ],
)
def test_a_file_is_named_from_the_top_of_the_repository(file, folder, name):
    assert in_repository(file, {"folder": folder}) == name
    assert in_repository(file, {}) == file.replace("\\", "/")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("app/a b#%.py", "app/a%20b%23%25.py"),
        ("app/ü.py", "app/%C3%BC.py"),
        ("/opt/a b.py", "file:///opt/a%20b.py"),
        ("C:\\a\\b.py", "file:///C:/a/b.py"),
    ],
)
def test_a_uri_is_one(file, expected):
    assert uri(file, {"folder": "."}) == expected
    assert is_absolute(file) == expected.startswith("file:")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/home/me/.venv/lib/python3.12/site-packages/requests/api.py", "requests/api.py"),
        (".tox/py312/lib/python3.12/site-packages/requests/api.py", "requests/api.py"),
        ("/usr/lib/python3.13t/asyncio/events.py", "asyncio/events.py"),
        ("C:\\py\\Lib\\site-packages\\requests\\api.py", "requests/api.py"),
        ("/src/pytest_noblock/engine/watch.py", "pytest_noblock/engine/watch.py"),
        ("app/main.py", "app/main.py"),
    ],
)
def test_where_a_library_is_installed_is_not_told(file, expected):
    assert short(file) == expected
