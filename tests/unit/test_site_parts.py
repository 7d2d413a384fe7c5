"""What `docs/site` makes of links, comments and the navigation. `test_site` looks at the built site."""

import importlib

import pytest
from documents import ROOT


@pytest.fixture
def part(monkeypatch):
    """Imports a module of docs/site, which mkdocs loads by path."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "site"))
    return importlib.import_module


@pytest.mark.parametrize(
    ("link", "uri", "mended"),
    [
        ("[it](../../SECURITY.md#sources)", "how-to/secure.md", "[it](../project/security.md#sources)"),
        ("[it](docs/how-to/s3.md)", "project/overview.md", "[it](../how-to/s3.md)"),
        ("![it](docs/images/bench.svg)", "project/overview.md", "![it](../images/bench.svg)"),
        ("[`it`](../../core/errors.py)", "reference/errors.md", "`it`"),
        ("[it](../../core/nothing.py)", "reference/errors.md", "[it](../../core/nothing.py)"),
        ("[it](https://example.org/a)", "reference/errors.md", "[it](https://example.org/a)"),
        ("[it](#below)", "reference/errors.md", "[it](#below)"),
        ("```\n[it](../../SECURITY.md)\n```\n", "how-to/secure.md", "```\n[it](../../SECURITY.md)\n```\n"),
    ],
)
def test_links_out_of_docs_go_to_where_the_file_is_on_the_site(part, link, uri, mended):
    assert part("links").mend_links(link, uri) == mended


def test_comments_beside_columns_are_theirs_and_those_above_are_for_columns_without(part):
    source = """
class Table(Base):
    name: Mapped[str] = mapped_column(Text)  # what it is called
    # Seconds.
    first: Mapped[float] = mapped_column(Float)
    last: Mapped[float] = mapped_column(
        Float,  # the newest
    )
    other: Mapped[int] = mapped_column(Integer)
"""
    found = part("described_tables").column_comments(source)
    assert found == {"name": "what it is called", "first": "Seconds.", "last": "the newest", "other": ""}


def test_pages_that_the_navigation_does_not_name_stand_where_their_folder_does(part):
    nav = ["README.md", {"How to": ["how-to/s3.md", "how-to/*"]}, {"Decisions": "adr/README.md"}]
    uris = ["README.md", "adr/0001.md", "adr/README.md", "how-to/gpu.md", "how-to/more/deep.md", "how-to/s3.md"]
    assert part("hooks").completed(nav, uris) == [
        "README.md",
        {"How to": ["how-to/s3.md", "how-to/gpu.md"]},
        {"Decisions": "adr/README.md"},
    ]
