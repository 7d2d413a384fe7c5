"""Links, values and figures on pages."""

from pathlib import Path

import pytest

from orchestrator.dashboard.addresses import own_path
from orchestrator.dashboard.curves import shade
from orchestrator.dashboard.rendering import is_value, link, show_size, show_tail, to_value, version_path
from orchestrator.reports.tables import Cell

# Bytes of a file's name that are no UTF-8, as Python shows them.
FOREIGN = b"gr\xfcn".decode(errors="surrogateescape")


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/jobs", {}, "/jobs"),
        ("/jobs", {"kind": None, "state": "done"}, "/jobs?state=done"),
        ("/jobs/1", {"label": '"><script>&x=1#'}, "/jobs/1?label=%22%3E%3Cscript%3E%26x%3D1%23"),
        ("/jobs/1", {"label": FOREIGN}, "/jobs/1?label=gr%5Cxfcn"),
        ("/jobs/1", {"again": True}, "/jobs/1?again=true"),
        ("/schedules/a b?c#d", {}, "/schedules/a%20b%3Fc%23d"),
        ("/models/p@1", {}, "/models/p@1"),
    ],
)
def test_links_carry_any_value(path: str, query: dict[str, object], expected: str):
    assert link(path, **query) == expected


def test_a_name_is_known_again_by_what_a_form_carries():
    assert is_value(to_value(FOREIGN), FOREIGN)
    assert is_value("red", "red")
    assert not is_value("red", "green")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/jobs?state=done", "/jobs?state=done"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("//[", "/"),
        ("https://[evil.example/", "/"),
    ],
)
def test_only_paths_of_this_site_are_gone_on_with(text: str, expected: str):
    assert own_path(text) == expected


@pytest.mark.parametrize(
    ("num_bytes", "expected"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (4_294_967_296, "4.3 GB")]
)
def test_sizes_are_for_people(num_bytes: int, expected: str):
    assert show_size(num_bytes) == expected


def test_the_last_part_of_a_name_tells_it():
    assert [show_tail(name) for name in ("a/b/c.jpg", "c.jpg", "photos.npy[3]", "/")] == [
        "c.jpg",
        "c.jpg",
        "photos.npy[3]",
        "/",
    ]


def test_a_version_has_its_page():
    assert version_path("parts@3") == "/models/parts/versions/3"


def test_each_shade_has_a_style():
    styles = Path("orchestrator/dashboard/static/css/pages.css")
    css = (Path(__file__).parents[3] / styles).read_text()
    shades = {shade(Cell(1, share / 10, is_right)) for share in range(11) for is_right in (True, False)}
    assert shade(Cell(0, 0.0, is_right=True)) == "none"
    assert {one.split()[1] for one in shades} == {f"shade-{depth}" for depth in range(1, 9)}
    assert all(f".{one.split()[1]} {{" in css for one in shades)
