"""Each advice, typed in as it stands, makes the test green: a repaired twin is made of the text of the advice."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.three_clients import watch

SOURCE = (Path(__file__).parent / "advised_app.py").read_text(encoding="utf-8")
FILE = "advised_app.py"
