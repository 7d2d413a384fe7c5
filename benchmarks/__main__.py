"""`python -m benchmarks`: measures, prints a report, writes out/bench.json and draws the chart beside it."""

import argparse
import json
import sys
from pathlib import Path

from benchmarks import places
from benchmarks.chart import draw_chart
from benchmarks.comparison import Results, SideFailedError, reached, run_module
from benchmarks.measurement import Measurement
from benchmarks.report import print_figures, print_suite, to_json
from benchmarks.suites import SUITES, Suite


def main() -> int:
    """Measure what was asked for. The status says nothing about speed: no test asserts a time."""
    arguments = _parser().parse_args()
    if arguments.draw:
        _draw(json.loads(places.RESULTS.read_text()), arguments.chart)
        return 0
    if problems := places.missing():
        print("\n".join(problems), file=sys.stderr)
        return 2
    suites = [suite for name, suite in SUITES.items() if not arguments.only or name in arguments.only]
    _warm_up(suites)
    measured = {suite.name: measure(suite, arguments) for suite in suites}
    for suite in suites:
        print_suite(suite, measured[suite.name], num_images=arguments.images or suite.num_images)
    figures = [figure for suite in suites for figure in reached(suite.figures, measured[suite.name])]
    print_figures(figures)
    values = to_json(measured, figures, num_rounds=arguments.rounds, num_images=arguments.images)
    places.RESULTS.write_text(json.dumps(values, indent=1))
    print(f"\nWrote {places.RESULTS}")
    _draw(values, arguments.chart)
    return 0


def measure(suite: Suite, arguments: argparse.Namespace) -> Results:
    """Run every side of a suite in turns."""
    results: Results = []
    folder = suite.images(arguments.images or suite.num_images) if suite.images else None
    num_rounds = min(arguments.rounds, suite.max_rounds or arguments.rounds)
    for number in range(1, num_rounds + 1):
        measured: dict[str, Measurement] = {}
        for run in suite.runs:
            given = [argument for argument in (folder, run.argument) if argument is not None]
            try:
                found = run_module(run.module, given)
            except SideFailedError as error:
                print(f"round {number}: {error}", file=sys.stderr)
                continue
            for key, value in found.items():
                print(f"{suite.name} {number}/{num_rounds} {key}: {value.seconds:.2f} s", file=sys.stderr)
            measured |= found
        results.append(measured)
    return results


def _warm_up(suites: list[Suite]) -> None:
    """Have networks converted and Python's bytecode written before anything is measured."""
    places.WARM_HOME.mkdir(parents=True, exist_ok=True)
    run_module("warming", [suite.name for suite in suites])


def _draw(values: dict, path: Path) -> None:  # type: ignore[type-arg]
    for suffix in (".svg", ".png"):
        if draw_chart(values, path.with_suffix(suffix)):
            print(f"Wrote {path.with_suffix(suffix)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SUITES, metavar="SUITE", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs (3)")
    parser.add_argument(
        "--images",
        type=int,
        help="instead of 1,000 photographs, 200 from a camera, 1,000,000 references: for trying out",
    )
    parser.add_argument("--chart", type=Path, default=places.OUT / "bench.svg", help="where to draw it (out/bench.svg)")
    parser.add_argument("--draw", action="store_true", help="draw what was measured last, measure nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
