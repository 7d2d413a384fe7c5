"""Which version of a name is in use: its champion, and the champions before it."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from core.errors import StateError
from db.clock import now_s
from db.model_tables import ModelTable, PromotionTable


def champion_of(session: Session, name: str) -> ModelTable | None:
    """The version of a name that is in use, if one was ever promoted."""
    promotions = _in_use(session, name)
    return session.get_one(ModelTable, promotions[0].model_id) if promotions else None


def champions(session: Session) -> Mapping[str, int]:
    """The id of the version in use, by name."""
    newest = (
        select(func.max(PromotionTable.id)).where(PromotionTable.rolled_back_at.is_(None)).group_by(PromotionTable.name)
    )
    rows = session.scalars(select(PromotionTable).where(PromotionTable.id.in_(newest)))
    return {row.name: row.model_id for row in rows}


def promote(session: Session, model: ModelTable) -> bool:
    """Take a version into use.

    Returns:
        False if it was in use already.

    Raises:
        StateError: its training has not come to an end.
    """
    if model.ready_at is None:
        raise StateError(f"{model.label} is not trained yet, so it cannot be promoted. `labelyard models` tells more.")
    champion = champion_of(session, model.name)
    if champion is not None and champion.id == model.id:
        return False
    session.execute(
        insert(PromotionTable).values(name=model.name, model_id=model.id, promoted_at=now_s(), rolled_back_at=None)
    )
    return True


def can_roll_back(session: Session, name: str) -> bool:
    """Whether there is a champion before the present one."""
    return len(_in_use(session, name)) > 1


def roll_back(session: Session, name: str, *, at_s: float | None = None) -> ModelTable:
    """Take the champion before this one into use again.

    Args:
        session: a writing transaction.
        name: of the model.
        at_s: when, in seconds since 1970; None: now, by the database's clock.

    Returns:
        The version that is in use now.

    Raises:
        StateError: there was none before it.
    """
    promotions = _in_use(session, name)
    if not promotions:
        raise StateError(f"No version of {name!r} is in use, so there is nothing to roll back.")
    if len(promotions) == 1:
        only = session.get_one(ModelTable, promotions[0].model_id)
        raise StateError(f"{only.label} is the first champion of {name!r}; there is none before it to roll back to.")
    session.execute(
        update(PromotionTable)
        .where(PromotionTable.id == promotions[0].id)
        .values(rolled_back_at=now_s() if at_s is None else at_s)
    )
    return session.get_one(ModelTable, promotions[1].model_id)


def _in_use(session: Session, name: str) -> Sequence[PromotionTable]:
    """The promotions of a name that stand, newest first; two are enough to roll one back."""
    return session.scalars(
        select(PromotionTable)
        .where(PromotionTable.name == name, PromotionTable.rolled_back_at.is_(None))
        .order_by(PromotionTable.id.desc())
        .limit(2)
    ).all()
