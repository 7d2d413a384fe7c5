"""Where images come from, with real worker processes: what may not be read is a row, what fails for a moment is not."""

import csv
from collections.abc import Callable
from pathlib import Path

from hostile_servers import hostile_server
from program import MODEL, Cli

Photographs = Callable[..., Path]


def rows(path: Path) -> dict[str, str]:
    """The error of each image, by its name."""
    with path.open(newline="") as file:
        return {row["image"]: row["error"].partition(":")[0] for row in csv.DictReader(file)}


def test_what_leads_out_of_the_roots_is_an_error_row_of_the_worker(cli: Cli, photographs: Photographs, tmp_path: Path):
    folder = photographs(3)
    first, second, third = sorted(path.name for path in folder.iterdir())
    (tmp_path / "secret").mkdir()
    (folder / second).rename(tmp_path / "secret" / second)
    (folder / second).symlink_to(tmp_path / "secret" / second)
    lines = [first, second, f"../secret/{second}", f"{tmp_path}/secret/{second}", "simplecache::file:///etc/passwd"]
    (folder / "m.txt").write_text("\n".join([*lines, third]))

    done = cli("label", "photographs/m.txt", "--model", MODEL, "--out", "o.csv", LABELYARD_SOURCE_ROOTS=str(folder))

    assert done.returncode == 0, done.stderr
    assert rows(cli.cwd / "o.csv") == {first: "", third: ""} | dict.fromkeys(lines[1:], "not_allowed")


def test_images_of_a_server_that_fails_now_and_then_are_labelled(cli: Cli, photographs: Photographs):
    image = next(photographs(1).iterdir()).read_bytes()
    with hostile_server() as server:
        expected = {
            server.send("/fine.jpg", image): "",
            server.send("/broken.jpg", image, failing=2, failure=0): "",
            server.send("/overloaded.jpg", image, failing=3, failure=503): "",
            server.redirect("/moved.jpg", "/fine.jpg"): "",
            server.send("/down.jpg", image, failing=10**6): "unreadable",
            server.pour("/endless.jpg"): "too_many_bytes",
            server.pour("/dripping.jpg", piece=b"x", pause_s=0.1): "unreadable",
            server.redirect("/file.jpg", "file:///etc/passwd"): "unreadable",
            server.address + "/gone.jpg": "not_found",
        }
        (cli.cwd / "m.txt").write_text("\n".join(expected))
        limits = {"LABELYARD_MAX_IMAGE_BYTES": str(4 * 1024**2), "LABELYARD_URL_TIMEOUT_S": "8"}

        label = ("label", "m.txt", "--allow-http", "--model", MODEL, "--out", "o.csv")
        done = cli(*label, LABELYARD_ALLOW_PRIVATE_HOSTS="true", **limits)
        assert done.returncode == 0, done.stderr
        assert rows(cli.cwd / "o.csv") == expected

        # The same servers, without leave to reach this machine.
        num_requests = server.num_requests.total()
        done = cli(*label, **limits)
        assert done.returncode == 0, done.stderr
        assert rows(cli.cwd / "o.csv") == dict.fromkeys(expected, "not_allowed")
        assert server.num_requests.total() == num_requests
