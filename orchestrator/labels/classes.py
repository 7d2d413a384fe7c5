"""Which classes labels may name, and what becomes of those that a model does not have."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import UnknownModelError, UsageError
from core.items import unescape_name
from core.types import NewClasses
from db.annotations import annotated_classes
from db.model_tables import ModelTable
from db.models import list_models
from db.results import class_names

# Asked about a class that a model does not have, with those that are near to it and all that there are: the class to
# take, or None for none.
Ask = Callable[[str, Sequence[str], Sequence[str]], str | None]


def name_of_model(session: Session, name: str | None) -> str:
    """The model that labels belong to.

    Args:
        session: any transaction.
        name: as a user says it; None: the only one there is.

    Raises:
        UsageError: it cannot be told which.
        UnknownModelError: there is none of that name.
    """
    names = sorted({model.name for model in list_models(session) if model.ready_at is not None})
    if name is None and len(names) == 1:
        return names[0]
    known = f"There are: {', '.join(names)}." if names else "There are none yet; `labelyard train` makes them."
    if name is None:
        raise UsageError(f"Which model are the labels for? Say --model NAME. {known}")
    if name.partition("@")[0] not in names:
        raise UnknownModelError(f"No model called {name!r} was trained here. {known}")
    return name.partition("@")[0]


def known_classes(session: Session, model: str) -> list[str]:
    """The classes of a name's newest version in the order of their indices, then those that labels have added."""
    newest = session.scalars(
        select(ModelTable)
        .where(ModelTable.name == model, ModelTable.ready_at.is_not(None))
        .order_by(ModelTable.version.desc())
        .limit(1)
    ).one()
    classes = list(class_names(session, newest.id))
    return [*classes, *sorted(annotated_classes(session, model) - set(classes))]


def settle(names: Sequence[str], known: Sequence[str], policy: NewClasses, ask: Ask | None) -> Mapping[str, str | None]:
    """Decide what each class that labels name is taken for.

    Args:
        names: as they are named.
        known: classes that there are.
        policy: what becomes of others.
        ask: asks a person; None: nobody is there.

    Returns:
        The class by each name; None: its labels are left out.

    Raises:
        UsageError: nobody can be asked.
    """
    # Files that were written here have backslashes, and what is not UTF-8, escaped.
    escaped = {name: plain for name in names if name not in known and (plain := unescape_name(name)) in known}
    unknown = sorted(set(names) - set(known) - set(escaped))
    if unknown and policy is NewClasses.ASK and ask is None:
        raise UsageError(_describe(unknown, known))
    settled: dict[str, str | None] = {name: escaped.get(name, name) for name in names}
    for name in unknown:
        match policy:
            case NewClasses.SKIP:
                settled[name] = None
            case NewClasses.ASK if ask is not None:
                settled[name] = ask(name, get_close_matches(name, known, n=3, cutoff=0.6), known)
    return settled


def _describe(unknown: Sequence[str], known: Sequence[str]) -> str:
    hints = [
        f"{name!r}{f' (did you mean {nearest[0]!r}?)' if (nearest := get_close_matches(name, known, n=1)) else ''}"
        for name in unknown[:10]
    ]
    return (
        f"The model has no class {', '.join(hints)}; it has {', '.join(map(repr, known[:20]))}. Say --new-classes add "
        "to take new ones, or --new-classes skip to leave their labels out. Nothing was written."
    )
