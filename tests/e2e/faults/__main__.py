"""`make chaos`: plays the matrix of faults, prints what came of each, and says by its status whether all was well.

Run as `python -m e2e.faults` with the folder `tests` on PYTHONPATH.
"""

import argparse
import math
import sys
import tempfile
import time
import traceback
from pathlib import Path

from e2e.faults.matrix import SCENARIOS
from e2e.faults.scenario import Outcome, Scenario
from e2e.faults.stage import Stage
from e2e.faults.table import print_table, row_of, to_markdown
from rich.console import Console
from state_folder import find_or_make_keras_home

console = Console(width=None if sys.stdout.isatty() else 220)


def main() -> int:
    """Play what was asked for."""
    arguments = _parser().parse_args()
    scenarios = [scenario for name, scenario in SCENARIOS.items() if not arguments.only or name in arguments.only]
    rows, num_bad = [], 0
    with tempfile.TemporaryDirectory(prefix="labelyard-chaos-") as name:
        folder = Path(name)
        engines = folder / "engines"
        engines.mkdir()
        keras_home = find_or_make_keras_home(folder / "keras")
        with Stage(folder, keras_home=keras_home, engines=engines, is_quick=arguments.quick) as stage:
            for scenario in scenarios:
                result = scenario.missing() or play(stage, scenario, seed=arguments.seed, share=arguments.share)
                rows.append(row_of(scenario, stage.timing_of(scenario.timing), result))
                num_bad += _report(scenario, result, is_timed=not arguments.quick)
    print_table(console, rows)
    if arguments.out is not None:
        arguments.out.write_text(to_markdown(rows, command=_command(arguments)))
        console.print(f"Wrote {arguments.out}")
    return 1 if num_bad else 0


def play(stage: Stage, scenario: Scenario, *, seed: int, share: float) -> Outcome:
    """Play one scenario; one that breaks down has recovered from nothing."""
    count = max(1, math.ceil(scenario.count * share))
    console.print(f"{time.strftime('%H:%M:%S')} {scenario.name}: {count} times", highlight=False)
    try:
        return stage.play(scenario, seed=seed, count=count)
    except Exception:  # noqa: BLE001 - the rest of the matrix is to be played, whatever this was
        traceback.print_exc()
        return Outcome(count=count)


def _report(scenario: Scenario, result: Outcome | str, *, is_timed: bool) -> bool:
    """Say what came of a scenario; True if it is bad."""
    problems = [] if isinstance(result, str) else scenario.problems(result, is_timed=is_timed)
    said = "; ".join(problems) or (f"not tried: {result}" if isinstance(result, str) else "as expected")
    console.print(f"{time.strftime('%H:%M:%S')} {scenario.name}: {said}", highlight=False)
    return bool(problems)


def _command(arguments: argparse.Namespace) -> str:
    """What plays the same again."""
    parts = [f"--seed {arguments.seed}", f"--share {arguments.share:g}", "--quick" if arguments.quick else ""]
    if arguments.only:
        parts.insert(0, f"--only {' '.join(arguments.only)}")
    return f"make chaos CHAOS_ARGS='{' '.join(part for part in parts if part)}'"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, metavar="NAME", help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--seed", type=int, default=4, help="of everything that is left to chance (4)")
    parser.add_argument("--share", type=float, default=1.0, help="of how often each fault is made (1)")
    parser.add_argument("--quick", action="store_true", help="leases of 4 s, as in the tests; no recovery is too slow")
    parser.add_argument("--out", type=Path, help="write the table to this file, as Markdown")
    return parser


if __name__ == "__main__":
    sys.exit(main())
