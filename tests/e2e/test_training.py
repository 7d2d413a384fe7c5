"""Training, from the command line to labels: embedded, interrupted, and on a worker that has only the database."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from program import MODEL, Cli, kill_with_children, read_csv, wait_for
from sqlalchemy import text

from db.database import Database

Pictures = Callable[..., Path]
TRAIN = ("train", "pictures", "--name", "shapes", "--backbone", MODEL)


@pytest.fixture
def pictures(cli: Cli, make_labelled_pictures: Pictures) -> Path:
    """A dataset of two classes that anyone can tell apart, 12 images of each."""
    return make_labelled_pictures(cli.cwd / "pictures", num_images=12)


def metrics_of(cli: Cli, model: str) -> list[tuple[float, ...]]:
    """What there is to compare of two trainings: all measurements that are not times."""
    found = cli.json("models", "show", model)
    return [
        (row["split"], row["num_images"], row["accuracy"], row["macro_f1"], row["ece"]) for row in found["evaluations"]
    ]


@pytest.mark.usefixtures("pictures")
def test_a_trained_model_labels_new_images_and_a_second_training_computes_no_feature_again(cli: Cli):
    first = cli.json(*TRAIN)
    assert first["model"]["model"] == "shapes@1"
    assert first["model"]["state"] == "champion"
    assert first["model"]["training"]["num_features_computed"] == 24
    second = cli.json(*TRAIN, "--epochs", "3", "--seed", "1")
    assert second["model"]["state"] == "ready"
    assert second["model"]["training"]["num_features_computed"] == 0
    assert second["model"]["training"]["num_features_reused"] == 24
    cli.json("label", "pictures", "--model", "shapes", "--model", MODEL, "--model", "shapes@2", "--out", "o.csv")
    rows = read_csv(cli.cwd / "o.csv")
    assert len(rows) == 24 * 3
    own = [row for row in rows if row["model"] == "shapes@1"]
    assert all(row["label"] == row["image"].split("/")[1] for row in own)


@pytest.mark.usefixtures("pictures")
def test_the_same_seed_gives_the_same_weights(cli: Cli):
    for name in ("one", "two"):
        cli.json("train", "pictures", "--name", name, "--backbone", MODEL, "--epochs", "4")
        cli("models", "export", name, "--format", "safetensors", "--out", f"{name}.safetensors")
    database = Database(f"sqlite:///{cli.cwd / 'state' / 'labelyard.db'}")
    with database.read() as session:
        hashes = session.scalars(text("SELECT sha256 FROM artifact WHERE kind = 'head'")).all()
    database.close()
    assert len(hashes) == 2
    assert len(set(hashes)) == 1
    assert metrics_of(cli, "one") == metrics_of(cli, "two")


@pytest.mark.usefixtures("pictures")
def test_a_training_that_is_killed_twice_ends_with_the_metrics_of_an_unbroken_one(cli: Cli):
    arguments = (
        "train",
        "pictures",
        "--backbone",
        "lenet-5",
        "--mode",
        "scratch",
        "--epochs",
        "60",
        "--early-stop",
        "0",
    )
    cli.json(*arguments, "--name", "unbroken")
    database = Database(f"sqlite:///{cli.cwd / 'state' / 'labelyard.db'}")

    def num_epochs() -> int:
        with database.read() as session:
            query = "SELECT coalesce(max(number), 0) FROM epoch JOIN model ON model.id = model_id WHERE name = 'broken'"
            return session.scalars(text(query)).one()

    for num_wanted in (3, 10):
        running = cli.start(*arguments, "--name", "broken")
        wait_for(lambda: num_epochs() >= num_wanted, f"{num_wanted} epochs")  # noqa: B023 - asked at once
        kill_with_children(running)
        assert num_epochs() < 60, "it was killed before its end"
        expire_leases(database)
    cli.json(*arguments, "--name", "broken")
    assert num_epochs() == 60
    assert metrics_of(cli, "broken") == metrics_of(cli, "unbroken")
    with database.read() as session:
        query = "SELECT name, number, split, loss, accuracy FROM epoch JOIN model ON model.id = model_id"
        rows = session.execute(text(query)).all()
    database.close()
    by_name = {name: sorted(tuple(row[1:]) for row in rows if row[0] == name) for name in ("broken", "unbroken")}
    assert by_name["broken"] == by_name["unbroken"]
    assert len(by_name["broken"]) == 120


def expire_leases(database: Database) -> None:
    """As if half a minute had gone by since the kill."""
    with database.write() as session:
        session.execute(text("UPDATE chunk SET lease_expires_at = 0 WHERE state = 'leased'"))


@pytest.mark.usefixtures("pictures")
def test_cancelling_ends_a_training_between_two_batches(cli: Cli):
    running = cli.start(
        "train", "pictures", "--name", "x", "--backbone", "lenet-5", "--mode", "scratch",
        "--epochs", "100000", "--early-stop", "0",
    )  # fmt: skip
    wait_for(lambda: (cli.json("jobs") or [{}])[0].get("num_chunks", {}).get("leased"), "the training to be leased")
    assert cli("jobs", "cancel", "1").returncode == 0
    said = running.communicate(timeout=60)[0]
    assert running.returncode == 1, said
    assert cli.json("models")[0]["state"] == "cancelled"
    assert "has not been trained" in cli("label", "pictures", "--model", "x@1").stderr


@pytest.mark.usefixtures("pictures")
def test_ctrl_c_stops_a_training_and_the_same_command_goes_on(cli: Cli):
    arguments = (
        "train", "pictures", "--name", "x", "--backbone", "lenet-5", "--mode", "scratch", "--epochs", "40",
        "--early-stop", "0",
    )  # fmt: skip
    running = cli.start(*arguments)
    wait_for(lambda: (cli.json("jobs") or [{}])[0].get("num_chunks", {}).get("leased"), "the training to be leased")
    os.kill(running.pid, signal.SIGINT)
    said = running.communicate(timeout=60)[0]
    assert running.returncode == 130, said
    assert "goes on" in said
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    assert "Going on with job 1" in done.stderr
    assert "x@1" in done.stdout


def test_a_worker_that_has_only_the_database_labels_as_the_embedded_program_does(
    cluster: Cli, cli: Cli, make_labelled_pictures: Pictures
):
    make_labelled_pictures(cluster.cwd / "pictures", num_images=12)
    worker = cluster.start("worker")
    trained = cluster.json(*TRAIN)
    assert trained["state"] == "done"
    kill_with_children(worker)
    # Another machine: it knows Redis and PostgreSQL, and its state folder is empty.
    cluster.start("worker", LABELYARD_HOME=str(cluster.cwd / "elsewhere"))
    cluster.json("label", "pictures", "--model", "shapes", "--out", "cluster.csv")
    cli.json(*TRAIN)
    cli.json("label", "pictures", "--model", "shapes", "--out", "embedded.csv")
    assert (cli.cwd / "cluster.csv").read_bytes() == (cli.cwd / "embedded.csv").read_bytes()
    assert not (cluster.cwd / "elsewhere" / "labelyard.db").exists()


@pytest.mark.usefixtures("pictures")
def test_any_model_can_be_evaluated_and_two_can_be_compared(cli: Cli):
    cli.json(*TRAIN)
    cli.json(*TRAIN, "--epochs", "2", "--seed", "0")
    found = cli.json("evaluate", "shapes", "--on", "pictures")["evaluation"]
    assert (found["num_images"], found["accuracy"]) == (24, 1.0)
    comparison = cli.json("models", "compare", "shapes@1", "shapes@2")
    assert comparison["num_common"] > 0
    assert comparison["p_value"] > 0.05
    assert "shapes@2" in cli("models", "compare", "shapes", "shapes@2").stdout
    said = cli("models", "promote", "shapes@2").stdout
    assert "shapes@2 is the champion" in said
    assert "shapes@1 is the champion of 'shapes' again" in cli("models", "rollback", "shapes").stdout


def test_bad_images_are_left_out_and_named_unless_there_are_too_many(cli: Cli, pictures: Path):
    (pictures / "red" / "03.png").write_bytes(b"")
    refused = cli(*TRAIN, "--max-bad", "2%")
    assert refused.returncode == 1
    assert "1 of 24 images cannot be read, more than the 2%" in refused.stderr
    assert "red/03.png" in refused.stderr
    trained = cli(*TRAIN, "--max-bad", "10%")
    assert trained.returncode == 0, trained.stderr
    assert "1 image could not be read and was left out" in trained.stdout


@pytest.mark.usefixtures("pictures")
def test_a_name_that_is_taken_by_other_classes_is_an_error_that_says_how_to_go_on(
    cli: Cli, make_labelled_pictures: Pictures
):
    cli.json(*TRAIN, "--epochs", "1")
    make_labelled_pictures(cli.cwd / "others", num_images=4, names=("red", "blue", "white"))
    refused = cli("train", "others", "--name", "shapes", "--backbone", MODEL)
    assert refused.returncode == 2
    assert "shapes@1 tells apart" in refused.stderr
    assert "another --name" in refused.stderr
    assert len(cli.json("models")) == 1


@pytest.mark.usefixtures("pictures")
def test_a_nan_loss_stops_the_training_and_says_which_rate(cli: Cli):
    refused = cli(
        "train", "pictures", "--name", "x", "--backbone", "alexnet", "--mode", "scratch", "--learning-rate", "1e30"
    )
    assert refused.returncode == 1, refused.stdout
    assert "1e+30" in refused.stderr


@pytest.mark.usefixtures("pictures")
def test_a_report_is_one_page_that_needs_no_network(cli: Cli):
    cli.json(*TRAIN)
    done = cli("models", "report", "shapes", "--out", "report.html")
    assert done.returncode == 0, done.stderr
    page = (cli.cwd / "report.html").read_text(encoding="utf-8")
    assert "shapes@1" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


@pytest.mark.usefixtures("pictures")
def test_a_model_is_carried_to_another_labelyard_and_labels_the_same_there(cli: Cli, tmp_path: Path):
    cli.json(*TRAIN)
    cli.json("label", "pictures", "--model", "shapes", "--out", "here.csv")
    exported = cli("models", "export", "shapes", "--format", "safetensors", "--out", "shapes.safetensors")
    assert exported.returncode == 0, exported.stderr
    elsewhere = {"LABELYARD_HOME": str(tmp_path / "another")}
    imported = cli("models", "import", "shapes.safetensors", **elsewhere)
    assert imported.returncode == 0, imported.stderr
    assert "as shapes@1; it is in use" in imported.stdout
    assert cli("label", "pictures", "--model", "shapes", "--out", "there.csv", **elsewhere).returncode == 0
    assert (cli.cwd / "here.csv").read_bytes() == (cli.cwd / "there.csv").read_bytes()
    again = cli("models", "import", "shapes.safetensors", **elsewhere)
    assert "labelyard models promote shapes@2" in again.stdout


@pytest.mark.usefixtures("pictures")
def test_exporting_names_what_cannot_be_meant(cli: Cli):
    cli.json(*TRAIN, "--epochs", "1")
    wrong = cli("models", "export", "shapes", "--format", "onnx", "--out", "shapes.keras")
    assert (wrong.returncode, "Expected one of .onnx" in wrong.stderr) == (2, True)
    unknown = cli("models", "export", "shape", "--format", "onnx", "--out", "shapes.onnx")
    assert (unknown.returncode, "There are: shapes" in unknown.stderr) == (2, True)
    (cli.cwd / "a.safetensors").write_bytes(b"nothing")
    damaged = cli("models", "import", "a.safetensors")
    assert (damaged.returncode, "a.safetensors is damaged" in damaged.stderr) == (3, True)


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize(
    "mode",
    [
        ("--backbone", MODEL, "--mode", "finetune", "--unfreeze", "conv_pw_13", "--learning-rate", "0.001"),
        ("--backbone", "lenet-5", "--mode", "scratch"),
    ],
    ids=["finetune", "scratch"],
)
def test_a_network_of_ones_own_labels_as_it_did_when_it_was_trained(cli: Cli, mode: tuple[str, ...]):
    trained = cli.json("train", "pictures", "--name", "own", *mode, "--epochs", "4", "--augment", "light")
    num_of_the_head = 30 if "finetune" in mode else 0
    assert trained["model"]["training"]["best_epoch"] > num_of_the_head, "the network itself was trained"
    cli.json("label", "pictures", "--model", "own", "--model", MODEL, "--out", "labels.csv")
    cli("export", str(trained["job_id"]), "--out", "training.csv")
    labelled = {row["image"]: row for row in read_csv(cli.cwd / "labels.csv") if row["model"] == "own@1"}
    answered = {row["image"]: row for row in read_csv(cli.cwd / "training.csv")}
    assert len(labelled) == len(answered) == 24
    assert {name: row["label"] for name, row in labelled.items()} == {
        name: row["label"] for name, row in answered.items()
    }
    for name, row in labelled.items():
        assert float(row["score"]) == pytest.approx(float(answered[name]["score"]), abs=1e-4)
    (job,) = [job for job in cli.json("jobs") if job["kind"] == "label"]
    assert job["workers"][0]["backbone_loads"] == {"own@1": 1, MODEL: 1}
