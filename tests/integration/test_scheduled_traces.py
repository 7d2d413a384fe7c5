"""Jobs that a schedule asks for are traced like those that a person asks for."""

from pathlib import Path

from collector import collecting
from schedule_steps import World

from core.tracing import tracer_of
from db.database import Database
from orchestrator.tracing import SERVICE


def test_a_retraining_and_its_comparison_have_roots_of_their_own(ledger: Database, tmp_path: Path):
    world = World(ledger, tmp_path)
    world.schedule()
    with collecting() as collector:
        world.settings = world.settings.model_copy(update={"otlp_endpoint": collector.url})
        world.tick_to_comparison()
        tracer_of(world.settings, SERVICE).close()
        roots = collector.named("accept")
    assert len(roots) == 2
    assert len({span.trace_id for span in roots}) == 2
    assert max(span.values["job_id"] for span in roots) == world.job_of_last_run()
    assert all(span.parent_id == b"" for span in roots)
