"""`python -m benchmarks.ledger_costs`: measures on a PostgreSQL of its own and writes `measured.json`; five minutes."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.ledger_costs import held_snapshot, stock
from benchmarks.ledger_costs.client import Task, work
from benchmarks.ledger_costs.stopwatch import Cost, Laps, Load, Stopwatch
from benchmarks.processes import postgres_server
from core.jobs import DEFAULT_CHUNK_SIZE
from db.database import Database
from db.ledger import accepting, control
from db.schema import upgrade

MEASURED = Path(__file__).with_name("measured.json")
BATCH_IMAGES = 8192  # orchestrator.planning.MAX_BATCH_IMAGES
TABLES = ("image", "chunk", "result", "feature")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    batches: int = 8  # of 8,192 images, which the product plans and each run works on
    rows: tuple[int, ...] = (100_000, 1_000_000)
    clients: tuple[int, ...] = (1, 2, 4, 8)
    chunk_sizes: tuple[int, ...] = (64, 1024)
    leases: tuple[int, ...] = (0, 1_000, 2_000)
    held: int = 6_000  # claims while a transaction stays open
    jobs: int = 100
    chunks: int = 500_000  # queued ones; as many again are done


SMALL = Sizes(
    batches=1, rows=(10_000,), clients=(1, 2), chunk_sizes=(64,), leases=(0, 100), held=100, jobs=5, chunks=2_000
)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger_costs", description=__doc__)
    parser.add_argument("--out", type=Path, default=MEASURED, help="where to write it (beside this module)")
    parser.add_argument("--small", action="store_true", help="for trying out, in seconds; such figures mean little")
    arguments = parser.parse_args()
    values = measure(SMALL if arguments.small else Sizes())
    arguments.out.write_text(json.dumps(values, indent=1) + "\n")
    print(f"Wrote {arguments.out}")


def measure(sizes: Sizes) -> dict[str, Any]:
    """Everything, as plain values."""
    with postgres_server() as url:
        database = Database(url)
        upgrade(database)
        with database.read() as session:
            version = session.scalars(text("SHOW server_version")).one()
        costs = [
            *_by_rows(database, url, sizes),
            *_by_chunk_size(database, url, sizes),
            *_by_leases(database, url, sizes),
        ]
        bytes_per_row = {table: _bytes_per_row(database, table) for table in TABLES}
        snapshot = held_snapshot.measure(database, url, num_claims=sizes.held)
        costs += _by_jobs(database, url, sizes)
        database.close()
    return {
        "command": "python -m benchmarks.ledger_costs",
        "machine": {"cores": os.cpu_count(), "postgresql": version, "python": sys.version.split()[0]},
        "settings": "fsync=off, full_page_writes=off; server and clients share the cores",
        "costs": [cost.to_json() for cost in costs],
        "bytes_per_row": bytes_per_row,
        "held_snapshot": snapshot,
    }


def _by_rows(database: Database, url: str, sizes: Sizes) -> Iterator[Cost]:
    """Planning, then the transactions of chunks, by clients and by the size of the tables."""
    template, laps = _plan(database, sizes)
    yield _shown(laps.cost("plan batch", Load()))
    for rows in sizes.rows:
        stock.copy_results(database, template, num_rows=rows)
        for clients in sizes.clients:
            job_id = stock.copy_job(database, template)
            stock.tidy(database)
            load = _load(database, clients=clients)
            yield from _run(database, url, job_id, load, with_features=clients == 1)
            template = job_id  # it has results now, which can be copied


def _by_chunk_size(database: Database, url: str, sizes: Sizes) -> Iterator[Cost]:
    """The same with one client and other chunks."""
    for size in sizes.chunk_sizes:
        job_id = stock.copy_job(database, _newest_job(database), chunk_size=size)
        stock.tidy(database)
        yield from _run(database, url, job_id, replace(_load(database), images=size))


def _by_leases(database: Database, url: str, sizes: Sizes) -> Iterator[Cost]:
    """The same with one client while other workers hold many leases."""
    template = _newest_job(database)
    for before, leases in zip((0, *sizes.leases), sizes.leases, strict=False):
        stock.add_leases(database, leases - before)
        job_id = stock.copy_job(database, template)
        stock.tidy(database)
        yield from _run(database, url, job_id, _load(database))


def _by_jobs(database: Database, url: str, sizes: Sizes) -> Iterator[Cost]:
    """Claims and sweeps among many running jobs with many queued chunks."""
    stock.add_queues(database, num_jobs=sizes.jobs, num_chunks=sizes.chunks)
    stock.tidy(database)
    laps = work(Task(url, 0, 60, only_claims=True))
    load = _load(database)
    for operation in ("claim", "sweep"):
        yield _shown(laps[operation].cost(operation, load))


def _plan(database: Database, sizes: Sizes) -> tuple[int, Laps]:
    job_id, watch = stock.new_job(database), Stopwatch(database)
    for number in range(sizes.batches):
        first = number * BATCH_IMAGES
        items = stock.items(first, BATCH_IMAGES)

        def append(items: list = items, first: int = first) -> None:  # type: ignore[type-arg]
            with database.write() as session:
                accepting.append_items(
                    session, job_id, items, after=first, cursor=str(first), chunk_size=DEFAULT_CHUNK_SIZE
                )

        watch.time("plan batch", [append])
    with database.write() as session:
        accepting.finish_planning(session, job_id, num_skipped=0)
        control.pause(session, job_id)  # it is there to be copied
    return job_id, watch.laps["plan batch"]


def _run(database: Database, url: str, job_id: int, load: Load, *, with_features: bool = False) -> Iterator[Cost]:
    with database.read() as session:
        num_chunks = session.scalars(text("SELECT count(*) FROM chunk WHERE job_id = :job"), {"job": job_id}).one()
    tasks = [Task(url, number, num_chunks // load.clients, with_features) for number in range(load.clients)]
    together: dict[str, Laps] = {}
    with ProcessPoolExecutor(load.clients, mp_context=get_context("spawn")) as pool:
        for found in pool.map(work, tasks):
            for operation, laps in found.items():
                together.setdefault(operation, Laps()).add(laps)
    yield from (_shown(laps.cost(operation, load)) for operation, laps in together.items())


def _shown(cost: Cost) -> Cost:
    print(f"{cost.operation:14} {cost.median_ms:8.2f} {cost.p95_ms:8.2f} {cost.server_ms:8.2f} ms  {cost.load}")
    return cost


def _newest_job(database: Database) -> int:
    with database.read() as session:
        return int(session.scalars(text("SELECT max(id) FROM job")).one())


def _load(database: Database, *, clients: int = 1) -> Load:
    counts = ("result", "chunk", "chunk WHERE state = 'leased'", "job WHERE state = 'running'")
    with database.read() as session:
        found = [session.scalars(text(f"SELECT count(*) FROM {table}")).one() for table in counts]  # noqa: S608 - ours
    return Load(clients, *found)


def _bytes_per_row(database: Database, table: str) -> dict[str, float]:
    with database.read() as session:
        number, heap, indices, total = session.execute(
            text(
                f"SELECT (SELECT count(*) FROM {table}), pg_relation_size('{table}'), pg_indexes_size('{table}'), "  # noqa: S608
                f"pg_total_relation_size('{table}')"
            )
        ).one()
    return {"rows": number, "table": heap / number, "indices": indices / number, "all": total / number}


if __name__ == "__main__":
    main()
