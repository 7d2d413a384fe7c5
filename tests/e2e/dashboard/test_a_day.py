"""What people do on a day: label a folder, watch it, train, correct, compare, take into use, keep a schedule."""

import csv
import re
import shutil
from pathlib import Path

import pytest
from browser import Watch, drop, keep, load_pictures
from playwright.sync_api import Page, expect
from program import MODEL, Cli, wait_for

NUM_PICTURES = 24


@pytest.fixture
def folder(drawings: Path, tmp_path: Path) -> Path:
    """A folder of some pictures, as somebody has it."""
    folder = tmp_path / "holiday"
    folder.mkdir()
    for path in sorted((drawings / "unlabelled").iterdir())[:NUM_PICTURES]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def truth(drawings: Path) -> dict[str, str]:
    """What the pictures show, by file name."""
    with (drawings / "unlabelled-truth.csv").open(newline="") as file:
        return {Path(row["image"]).name: row["label"] for row in csv.DictReader(file)}


@pytest.mark.timeout(600)
def test_a_folder_is_labelled_corrected_learned_from_compared_and_taken_into_use(
    cli: Cli, drawings: Path, folder: Path, truth: dict[str, str], serving, open_pages
):
    with serving(cli) as address, open_pages(address, viewport={"width": 1280, "height": 860}) as (page, watch):
        label_by_dropping(page, folder)
        train(page, drawings, epochs=30)
        label_by_choosing_a_folder(page, folder)
        look_at_an_image(page)
        correct(page, cli, truth)
        train(page, drawings, epochs=3)
        compare_and_promote(page, watch)
        keep_a_schedule(page)
        page.goto("/")
        expect(page.locator(".plot canvas")).to_be_visible()
        keep(page, "overview")
        watch.require_nothing()


def finish_job(page: Page, number: int) -> None:
    page.wait_for_url(f"**/jobs/{number}?done=submitted")
    expect(page.locator("#progress")).to_have_attribute("data-state", "done", timeout=120_000)


def label_by_dropping(page: Page, folder: Path) -> None:
    page.goto("/upload")
    page.get_by_label("Model").select_option(MODEL)
    keep(page, "upload")
    drop(page, page.locator("#drop"), folder)
    finish_job(page, 1)
    expect(page.locator(".gallery li")).to_have_count(NUM_PICTURES)
    expect(page.locator(".gallery .score")).to_have_count(NUM_PICTURES)
    expect(page.locator("#counts table").first).to_contain_text("Labels by")


def train(page: Page, drawings: Path, *, epochs: int) -> None:
    page.goto("/models")
    page.get_by_role("link", name=re.compile("Train (a model|one)")).first.click()
    page.get_by_label("Dataset").fill(str(drawings))
    page.get_by_label("Name").fill("parts")
    page.get_by_label("Network").select_option(MODEL)
    page.get_by_label("Epochs, at most").fill(str(epochs))
    page.get_by_role("button", name="Train").click()
    page.wait_for_url("**/jobs/*?done=submitted")
    expect(page.locator("#progress")).to_have_attribute("data-state", "done", timeout=120_000)


def label_by_choosing_a_folder(page: Page, folder: Path) -> None:
    page.goto("/models/parts")
    page.get_by_role("link", name="Label with it").click()
    expect(page.get_by_label("Model")).to_have_value("parts")
    page.get_by_label("Choose a folder").set_input_files(folder)
    page.get_by_role("button", name="Upload and label").click()
    finish_job(page, 3)
    expect(page.locator(".gallery .score")).to_have_count(NUM_PICTURES)
    load_pictures(page.locator(".gallery img"))
    keep(page, "job")
    label = page.locator(".gallery .label").first.inner_text()
    page.get_by_label("Label", exact=True).select_option(label)
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**label=**")
    assert set(page.locator(".gallery .label").all_inner_texts()) == {label}


def look_at_an_image(page: Page) -> None:
    page.goto("/jobs/3")
    page.locator(".gallery a").first.click()
    expect(page.locator(".answers tbody tr")).to_have_count(5)
    best = page.locator(".answers tbody th").first.inner_text()
    page.get_by_role("link", name=f"Why {best}?").click()
    picture = page.locator("#picture img[data-explains]")
    expect(picture).to_be_visible()
    load_pictures(picture)
    keep(page, "image")


def correct(page: Page, cli: Cli, truth: dict[str, str]) -> None:
    page.goto("/review")
    page.get_by_role("button", name="Begin").click()
    name = page.locator("#shown-name")
    expect(name).not_to_be_empty()
    load_pictures(page.locator("#shown"))
    keep(page, "review")
    first = name.inner_text()
    page.keyboard.press("1")
    expect(name).not_to_have_text(first)
    page.keyboard.press("u")
    expect(name).to_have_text(first)
    said = {}
    for _ in range(3):
        before = name.inner_text()
        said[before] = truth[Path(before).name]
        key = page.locator("#classes button").filter(has_text=said[before]).locator("kbd").inner_text()
        page.keyboard.press(key)
        expect(name).not_to_have_text(before)
    expect(page.locator("#tally")).to_contain_text("3 answered")
    page.goto("/review")

    def labels() -> list[dict[str, str]]:
        found: list[dict[str, str]] = cli.json("labels", "list")
        return found if len(found) == 3 else []

    written = wait_for(labels, "three labels")
    assert {one["image"]: one["label"] for one in written} == said
    assert {(one["annotator"], one["origin"]) for one in written} == {("local", "reviewed")}


def compare_and_promote(page: Page, watch: Watch) -> None:
    page.goto("/models/parts")
    page.get_by_role("button", name="Compare the two").click()
    expect(page.get_by_role("heading", name="parts@1 and parts@2")).to_be_visible()
    expect(page.locator(".plot canvas")).to_have_count(2)
    keep(page, "compare")
    page.get_by_role("button", name="Promote parts@2").click()
    expect(page.get_by_role("status").first).to_contain_text("in use now")
    assert in_use(page) == "parts@2"
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("status").first).to_contain_text("in use again")
    assert in_use(page) == "parts@1"
    assert [text.split("?")[0] for text in watch.dialogs] == ["Take the version before into use again"]
    watch.dialogs.clear()
    page.get_by_role("link", name="parts@1").click()
    expect(page.locator(".confusion")).not_to_have_count(0)
    keep(page, "model")
    cell = page.locator(".confusion td.right a").first
    number = int(cell.inner_text())
    cell.click()
    expect(page.locator(".gallery li")).to_have_count(number)


def in_use(page: Page) -> str:
    return page.locator("tr", has=page.locator(".is-champion")).locator("th").inner_text()


def keep_a_schedule(page: Page) -> None:
    page.goto("/schedules")
    page.get_by_label("Name").fill("nightly")
    page.get_by_label("Train if").fill("new_labels>=3")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="Run now").click()
    # A page that is still on its way cannot be loaded again.
    page.wait_for_url("**done=run")

    def has_ended() -> bool:
        page.reload()
        return page.locator("tbody .badge:is(.is-promoted, .is-refused)").count() == 1

    wait_for(has_ended, "the schedule's run to end")
    expect(page.locator("tbody")).to_contain_text("test images")
    keep(page, "schedule")
