"""A person takes labels in and out at a terminal."""

import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from label_steps import table
from program import PROGRAM, Cli

from db.database import Database

pytestmark = pytest.mark.usefixtures("pictures")


def test_a_person_adds_imports_lists_and_exports_labels_from_the_command_line(
    ledger: Database, pictures: list[Path], database_url: str, tmp_path: Path
):
    del ledger
    cli = Cli(os.environ | {"LABELYARD_DATABASE_URL": database_url, "LABELYARD_HOME": str(tmp_path)}, tmp_path)
    assert cli.json("labels", "add", "new/0.png", "red", "--by", "ada")["num_added"] == 1
    table(tmp_path, *(str(picture) + ",green" for picture in pictures), str(pictures[0]) + ",Nut")

    done = cli("labels", "import", "labels.csv", "--by", "ben")
    assert done.returncode == 2
    assert "The model has no class 'Nut'" in done.stderr
    done = cli("labels", "import", "labels.csv", "--by", "ben", "--new-classes", "skip")
    assert "Took in 4 labels for 'colours' (1 skipped: new class 'Nut')." in " ".join(done.stdout.split())
    assert len(cli.json("labels", "list")) == 5
    assert [one["label"] for one in cli.json("labels", "list", "--image", "new/0.png")] == ["red", "green"]
    assert {one["annotator"] for one in cli.json("labels", "list", "--conflicts")} == {"ada", "ben"}

    done = cli("labels", "export", "--format", "label-studio", "--out", "tasks.json", "--config", "page.xml")
    assert done.returncode == 0, done.stderr
    assert cli.json("labels", "import", "tasks.json")["num_known"] == 5
    (tmp_path / "tasks.json").write_text('[{"data": }]')
    done = cli("labels", "import", "tasks.json")
    assert done.returncode == 2
    assert "line 1, column 11" in " ".join(done.stderr.split())


def test_a_person_who_mistypes_a_class_is_asked_again(ledger: Database, database_url: str, tmp_path: Path):
    del ledger
    table(tmp_path / "new", "0.png,redd", "1.png,green")
    environment = os.environ | {"LABELYARD_DATABASE_URL": database_url, "LABELYARD_HOME": str(tmp_path)}
    returncode, shown = answer_on_a_terminal(
        ["labels", "import", "new/labels.csv"], ["rde", "red"], environment, tmp_path
    )
    assert returncode == 0, shown
    assert "no class 'redd'. It is near to red." in " ".join(shown.split())
    assert "Expected one of add, skip, green, red" in " ".join(shown.split())
    assert "Took in 2 labels for 'colours'." in shown


def answer_on_a_terminal(
    arguments: list[str], answers: list[str], environment: dict[str, str], folder: Path
) -> tuple[int, str]:
    """Run the program on a terminal of its own, and give an answer whenever it asks."""
    ours, its = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, *arguments], env=environment, cwd=folder, stdin=its, stdout=its, stderr=its
    ) as process:
        os.close(its)
        shown, num_answered = "", 0
        # Linux says that the other side has gone by an error, not by an end.
        with suppress(OSError):
            while part := os.read(ours, 4096):
                shown += part.decode()
                if num_answered < len(answers) and shown.count("]: ") > num_answered:
                    os.write(ours, f"{answers[num_answered]}\n".encode())
                    num_answered += 1
        os.close(ours)
        return process.wait(timeout=60), shown
