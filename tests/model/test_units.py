"""`"50 ms"` to nanoseconds and back."""

import pytest

from pytest_noblock.model import units

MS = 1_000_000


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("50 ms", 50 * MS),
        ("50ms", 50 * MS),
        ("  50   ms ", 50 * MS),
        ("1.5s", 1500 * MS),
        ("0.5 ms", MS // 2),
        ("200us", 200_000),
        ("200 µs", 200_000),
        ("1 s", 1000 * MS),
        ("0.0000001s", 100),
    ],
)
def test_a_number_and_a_unit_are_a_duration(text, ns):
    assert units.parse(text) == ns


@pytest.mark.parametrize(
    "text", ["", " ", "50", "ms", "-5 ms", "+5 ms", "0 ms", "0.0s", "5 min", "5 MS", "1,5 ms", ".5 s", "5. s", "1e3 ms",
             "inf s", "nan s", "5 ms 3", "ms 5", "5\n5 ms", "0.0000000001 s", "\u0663 ms", 50,
             0.05, None, True, ["50 ms"], b"50 ms"]
)  # fmt: skip
def test_anything_else_is_refused_in_one_sentence(text):
    with pytest.raises(ValueError, match="is not a duration: write a positive number and a unit") as error:
        units.parse(text)
    assert str(error.value).startswith(repr(text))


def test_a_day_is_the_longest_duration():
    assert units.parse(f"{units.LONGEST_S} s") == 86_400_000 * MS


@pytest.mark.parametrize("text", ["86401 s", "99999999999 ms", "9" * 400 + " s", "9" * 5000 + " ms"])
def test_what_is_longer_is_refused_however_long(text):
    with pytest.raises(ValueError, match="is longer than a day: write a duration of at most 86400 s") as error:
        units.parse(text)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (301 * MS, "301 ms"),
        (12_345 * MS, "12345 ms"),
        (50 * MS, "50 ms"),
        (49_999_999, "50 ms"),
        (9_960_000, "10 ms"),
        (9_940_000, "9.9 ms"),
        (4_210_000, "4.2 ms"),
        (950_000, "0.9 ms"),
        (80_000, "0.08 ms"),
        (1_234, "0.0012 ms"),
        (0, "0 ms"),
    ],
)
def test_words_keep_two_digits_or_whole_milliseconds(ns, text):
    assert units.words(ns) == text


@pytest.mark.parametrize(("ns", "ms"), [(301_234_567, 301.235), (50 * MS, 50.0), (999, 0.001), (0, 0.0)])
def test_reports_carry_microseconds(ns, ms):
    assert units.milliseconds(ns) == ms
