"""Why a route was not measured: a closed list."""

from typing import get_args

import pytest

from pytest_noblock.sweep.reasons import REASONS, Reason, reason_of, remedy

pytestmark = pytest.mark.one_python


def test_the_list_is_closed_and_each_reason_is_explained():
    assert get_args(Reason) == (
        "needs-auth",
        "not-found",
        "rejected",
        "not-allowed",
        "conflict",
        "failed",
        "endless",
        "unsafe-method",
        "websocket",
        "excluded",
        "no-value",
    )
    assert tuple(REASONS) == get_args(Reason)
    assert all(row.meaning and row.remedy and not row.remedy.endswith(".") for row in REASONS.values())


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, None),
        (204, None),
        (304, None),
        (399, None),
        (400, "rejected"),
        (401, "needs-auth"),
        (403, "needs-auth"),
        (404, "not-found"),
        (405, "not-allowed"),
        (406, "rejected"),
        (409, "conflict"),
        (410, "not-found"),
        (413, "rejected"),
        (415, "rejected"),
        (418, "rejected"),
        (422, "rejected"),
        (429, "conflict"),
        (500, "failed"),
        (503, "failed"),
        (599, "failed"),
    ],
)
def test_a_status_has_a_reason(status, reason):
    assert reason_of(status) == reason


def test_every_status_has_one():
    assert {reason_of(status) for status in range(400, 600)} <= set(get_args(Reason))
    assert {reason_of(status) for status in range(100, 400)} == {None}


def test_what_is_lacking_is_said_with_the_names_of_the_route():
    assert remedy("not-found", ("user_id", "n")).startswith("--noblock-param=user_id=... --noblock-param=n=... names")
    assert remedy("not-found").startswith("--noblock-param=NAME=VALUE names")
    assert '--noblock-header="Authorization: Bearer $TOKEN"' in remedy("needs-auth", ("user_id",))
    assert remedy("excluded", words="too slow").endswith("(too slow)")
