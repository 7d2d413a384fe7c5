"""SQL is never put together from values: the source is read for it."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "db", "workers", "orchestrator")
# Calls that take SQL as text.
TAKES_SQL = {"text", "exec_driver_sql", "execute", "executemany", "scalar", "scalars", "copy", "TextClause"}
# Where text is made on purpose, and of what: names of columns and tables from our own code, never a value.
EXCEPTIONS = {
    ("db/bulk.py", "statement"),  # INSERT, with a placeholder for each value
    ("db/bulk.py", "query.format(*holders)"),  # as many placeholders as there are keys
}


def is_made(node: ast.expr) -> bool:
    """Whether a text is put together where it stands: f"…", "…" + x, "…" % x, "…".format(x), "".join(x)."""
    match node:
        case ast.JoinedStr():
            return any(isinstance(part, ast.FormattedValue) for part in node.values)
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            return any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in ast.walk(node))
        case ast.Call(func=ast.Attribute(value=ast.Constant() | ast.Name(), attr="format" | "join")):
            return True  # but not sql.SQL(…).format(…), which quotes what it is given
    return False


def made_sql(tree: ast.AST) -> Iterator[ast.Call]:
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Module)]:
        # A text may be made in one line and used in the next.
        made = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and is_made(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in [node for node in ast.walk(function) if isinstance(node, ast.Call) and node.args]:
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            first = call.args[0]
            if name in TAKES_SQL and (is_made(first) or (isinstance(first, ast.Name) and first.id in made)):
                yield call


def test_no_sql_is_put_together_from_values():
    found = {
        (str(path.relative_to(ROOT)), ast.unparse(call.args[0]))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for call in made_sql(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == EXCEPTIONS


def test_the_search_finds_what_it_is_for():
    for bad in (
        'session.execute(text(f"SELECT {name}"))',
        'text("DELETE FROM " + table)',
        'connection.exec_driver_sql("SELECT %s" % name)',
        'cursor.execute("SELECT {}".format(name))',
        'def f():\n    sql = f"SELECT {name}"\n    cursor.execute(sql)',
    ):
        assert list(made_sql(ast.parse(bad))), bad
    assert not list(made_sql(ast.parse('session.execute(text("SELECT :name"), {"name": name})')))
