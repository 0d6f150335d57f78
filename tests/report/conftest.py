"""What checks a document against the schema."""

import pytest


@pytest.fixture
def jsonschema():
    return pytest.importorskip("jsonschema")
