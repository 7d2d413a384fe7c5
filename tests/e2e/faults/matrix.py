"""All scenarios, in the order of the table. Neighbours use the same cluster, so that it is started once for them."""

from e2e.faults import brokers, clocks, databases, deaths, disks, freezes, messages, poisons, sharing, trainings
from e2e.faults.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        deaths.DEATHS,
        deaths.STOPS,
        freezes.IDLE_FROZEN,
        freezes.FROZEN,
        messages.REPEATED,
        brokers.EMPTIED,
        brokers.DARK,
        databases.RESTARTED,
        clocks.WRONG_CLOCKS,
        poisons.HOSTILE,
        trainings.TRAININGS,
        deaths.SQLITE_DEATHS,
        deaths.SQLITE_STOPS,
        freezes.SQLITE_FROZEN,
        sharing.TOGETHER,
        disks.FULL,
    )
}
