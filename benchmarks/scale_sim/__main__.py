"""`python -m benchmarks.scale_sim`: simulates and prints tables. The status is 1 if the contract was broken."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks.scale_sim.costs import read_costs
from benchmarks.scale_sim.experiments import EXPERIMENTS
from benchmarks.scale_sim.scenario import Report, Scenario
from benchmarks.scale_sim.simulation import simulate

COLUMNS = (
    "scenario",
    "images/s",
    "by arithmetic",
    "database busy",
    "transactions/s",
    "claim, median",
    "p95",
    "leases expired",
    "of the living",
    "late finishes fenced",
)


def main() -> int:
    """Simulate what was asked for."""
    arguments = _parser().parse_args()
    costs = read_costs()
    breaches: list[str] = []
    for title, scenarios in _chosen(arguments):
        print(f"\n{title}\n\n{_line(COLUMNS)}\n{_line(['---', *['---:'] * (len(COLUMNS) - 1)])}")
        for scenario in scenarios:
            report = simulate(replace(scenario, seed=arguments.seed), costs)
            print(_line(_cells(report)), flush=True)
            breaches += [f"{scenario.name}: {breach}" for breach in report.breaches]
    print("\n" + ("\n".join(breaches) or "Every image of every scenario ended with exactly one row."))
    return 1 if breaches else 0


def _chosen(arguments: argparse.Namespace) -> Iterator[tuple[str, Sequence[Scenario]]]:
    if arguments.workers:
        name = f"{arguments.workers:,} workers, {arguments.cores} cores"
        yield "own", [Scenario(name=name, workers=arguments.workers, cores=arguments.cores)]
        return
    for title, scenarios in EXPERIMENTS.items():
        if not arguments.only or title in arguments.only:
            yield title, scenarios


def _cells(report: Report) -> list[str]:
    median_ms, p95_ms = report.claim_ms
    return [
        report.scenario.name,
        f"{report.images_per_s:,.0f}",
        f"{report.expected_images_per_s:,.0f}",
        f"{report.utilisation:.0%}",
        f"{report.transactions_per_s:,.0f}",
        f"{median_ms:,.0f} ms",
        f"{p95_ms:,.0f} ms",
        f"{report.expired:,}",
        f"{report.expired_alive:,}",
        f"{report.fenced:,}",
    ]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_sim", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, metavar="NAME", help=f"of {', '.join(EXPERIMENTS)}")
    parser.add_argument("--seed", type=int, default=1, help="the same one gives the same output (1)")
    parser.add_argument("--workers", type=int, help="instead: this many workers, as they are")
    parser.add_argument("--cores", type=int, default=2, help="with --workers: cores of the database (2)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
