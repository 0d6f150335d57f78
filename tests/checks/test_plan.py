"""What a request's plan says where nobody says anything, and how probe paths are written."""

import pytest

from pytest_noblock.checks.plan import Plan, expected, probe_paths
from pytest_noblock.model.limits import Limits, sample_after

MS = 1_000_000


def test_a_plan_leaves_repeats_to_the_method_and_forgives_mocks():
    assert Plan() == (Limits(50 * MS), (), 1, None, None, False, "endpoint")


@pytest.mark.parametrize(
    ("value", "paths"),
    [("/health", ("/health",)), (["/a", "/b"], ("/a", "/b")), (("/a",), ("/a",)), ("/a?b=1", ("/a?b=1",))],
)
def test_one_path_or_several(value, paths):
    assert probe_paths(value) == paths


@pytest.mark.parametrize("value", ["health", "", [], ["/a", "b"], ["/a", 1], 1, {"/a"}, b"/a", None])
def test_anything_else_is_refused_in_one_sentence(value):
    with pytest.raises(ValueError, match="is not a path or a list of paths") as error:
        probe_paths(value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("limit", "after"), [(50, 10), (20, 10), (10, 5), (1, 0.5)])
def test_a_step_is_sampled_at_ten_ms_or_at_half_the_limit(limit, after):
    assert sample_after(limit * MS) == after * MS


def test_any_answer_can_be_expected():
    assert expected("any") == "any"


@pytest.mark.parametrize("value", ["endpoint", "Any", "", True, 401, ["any"], object])
def test_any_other_expectation_is_refused_in_one_sentence(value):
    with pytest.raises(ValueError, match='is not "any": leave it out, and the endpoint itself must answer') as error:
        expected(value)
    assert "\n" not in str(error.value)
