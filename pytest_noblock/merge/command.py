"""`python -m pytest_noblock merge A.json B.json --report=FILE [--baseline=FILE] [--require=80%]`.

Exits as a run does: 0 for green, 1 for red, 4 for a mistake in the arguments, 5 where nothing was measured.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NoReturn, cast

from pytest_noblock.merge import told
from pytest_noblock.merge.folding import Folding, Record
from pytest_noblock.merge.judging import Judging
from pytest_noblock.merge.shards import Refused, shards
from pytest_noblock.model.shown import error, printable
from pytest_noblock.report import files, formats
from pytest_noblock.report.json_v1 import document, route, to_json
from pytest_noblock.report.routes import rows_of
from pytest_noblock.report.totals import totals
from pytest_noblock.report.wire import Run

GREEN, RED, MISTAKE, NOTHING = 0, 1, 4, 5
"""pytest's own exit codes."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(message)


def main(arguments: Sequence[str]) -> int:
    try:
        given = _parser().parse_args(arguments)
        return _merge(given)
    except Refused as mistake:
        problem = str(mistake)
    print(f"ERROR: {problem}", file=sys.stderr)  # noqa: T201  # a command
    return MISTAKE


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m pytest_noblock", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    merge = commands.add_parser("merge", help="judge the JSON reports of many jobs as one run", allow_abbrev=False)
    merge.add_argument("reports", nargs="+", metavar="FILE.json", help="written by --noblock-report=FILE.json")
    merge.add_argument(
        "--report",
        action="append",
        default=[],
        type=_report,
        metavar="FILE",
        help=f"write a report; by the name's end: {', '.join(formats.REPORT_SUFFIXES)}",
    )
    merge.add_argument("--baseline", metavar="FILE", help="known findings: only new ones fail")
    merge.add_argument("--require", metavar="80%", help="share of the routes that must have been measured")
    return parser


def _report(name: str) -> Path:
    if formats.suffix_of(Path(name).name) is None:
        suffixes = formats.REPORT_SUFFIXES
        raise Refused(
            printable(
                f"--report: the format of {name!r} is not known: its name must end in "
                f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
            )
        )
    return Path(name)


def _merge(given: argparse.Namespace) -> int:
    judging = Judging(given.baseline, given.require)
    wanted = cast("list[Path]", given.report)
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as records:
        spooled = any(formats.suffix_of(file.name) == ".json" for file in wanted)
        folding = Folding(judging.accepting, _Spool(records) if spooled else None)
        judging.judge(folding.passing(shards(given.reports)))
        run = folding.run()
        unwritten = [sentence for file in wanted for sentence in _write(file, run, records)]
    numbers = totals(run)
    problems = [*judging.problems(numbers), *folding.cut_short(), *unwritten]
    for line in (*told.lines(run), *judging.lines(), *problems):
        print(printable(line))  # noqa: T201  # a command
    if folding.red or problems:
        return RED
    return GREEN if any(numbers.outcomes[each] for each in ("passed", "failed", "accepted")) else NOTHING


class _Spool:
    """Keeps the entries of `checks` on the disk, as they stand in the merged report."""

    def __init__(self, records: IO[str]) -> None:
        self._records = records
        self._separator = "\n    "

    def __call__(self, records: list[Record]) -> None:
        """To encode them together takes a quarter of the time of one by one."""
        if records:
            self._records.write(f"{self._separator}{to_json(records)[1:-1]}")
            self._separator = ",\n    "


_PIECE = 1 << 20
"""Characters that are copied at once."""


def _write(file: Path, run: Run, records: IO[str]) -> Iterator[str]:
    """A sentence where the report cannot be written."""
    try:
        if formats.suffix_of(file.name) == ".json":
            files.put(file, _json(run, records))
        else:
            formats.write(file, run)
    except OSError as problem:
        yield f"the report {file} cannot be written: {problem.strerror or problem}"
    except Exception as problem:  # noqa: BLE001  # one report must not cost the others
        yield f"the report {file} cannot be written: {error(problem)}"


def _json(run: Run, records: IO[str]) -> Iterator[str]:
    """The merged report in pieces, the checks of each report on a line."""
    whole = document({**run.environment}, [], [route(each) for each in rows_of(run)])
    head = to_json({**whole, "checks": None})
    before, _, after = head.rpartition("null")
    yield f"{before}["
    records.seek(0)
    while piece := records.read(_PIECE):
        yield piece
    yield f"\n  ]{after}\n"
