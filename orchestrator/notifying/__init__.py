"""Telling people and programs what has happened: jobs that ended, challengers promoted or refused, drift.

`payloads` says what is told, `telling` writes it to the outbox, `delivering` sends what is due by `webhook` and `mail`.
"""

from orchestrator.notifying.delivering import DeliveryReport, notify_and_deliver
from orchestrator.notifying.telling import tell

__all__ = ["DeliveryReport", "notify_and_deliver", "tell"]
