"""Commands that only look."""

import json

from program import MODEL, Cli


def test_show_prints_the_layers_with_their_parameters(cli: Cli):
    done = cli("show", MODEL)
    assert done.returncode == 0, done.stderr
    assert "Total params: 475,544" in done.stdout
    assert "conv_preds" in done.stdout
    assert "256 numbers per image" in done.stdout


def test_backbones_says_which_weights_are_there(cli: Cli):
    listed = {item["name"]: item for item in cli.json("backbones")}
    assert listed[MODEL]["is_cached"] is True
    assert listed["vgg16"]["is_cached"] is False
    assert (listed["vgg16"]["num_parameters"], listed["vgg16"]["feature_size"]) == (138_357_544, 4096)
    assert "vgg16" in cli("backbones").stdout


def test_doctor_finds_nothing_wrong_with_an_embedded_setup(cli: Cli):
    findings = {finding["subject"]: finding["verdict"] for finding in cli.json("doctor")}
    assert findings["database"] == findings["broker"] == findings["weights"] == "ok"


def test_doctor_says_how_to_mend_what_is_wrong(cli: Cli):
    done = cli(
        "doctor", LABELYARD_BROKER_URL="redis://127.0.0.1:9/0", LABELYARD_DATABASE_URL="postgresql://127.0.0.1:9/x"
    )
    assert done.returncode == 3
    assert "LABELYARD_BROKER_URL" in done.stdout
    assert "LABELYARD_DATABASE_URL" in done.stdout
    assert "Traceback" not in done.stderr


def test_settings_says_where_each_came_from(cli: Cli):
    (cli.cwd / "labelyard.toml").write_text("batch_size = 8\nworkers = 3\n")
    (cli.cwd / ".env").write_text("LABELYARD_WORKERS=2\n")
    done = cli("settings", "--json", LABELYARD_LEASE_S="7")
    found = {name: (item["value"], item["source"]) for name, item in json.loads(done.stdout).items()}
    assert found["LABELYARD_LEASE_S"] == ("7.0", "environment")
    assert found["LABELYARD_WORKERS"] == ("2", ".env")
    assert found["LABELYARD_BATCH_SIZE"] == ("8", "labelyard.toml")
    assert found["LABELYARD_ENGINE"] == ("auto", "default")


def test_features_shows_what_is_kept_and_prunes_it(cli: Cli, photographs):
    assert "No features are kept yet" in cli("features").stdout
    cli.json("label", photographs(5), "--model", MODEL)
    (kept,) = cli.json("features")
    assert (kept["network"], kept["preprocessing"]) == (MODEL, "crop 224x224")
    assert (kept["num_vectors"], kept["num_bytes"]) == (5, 5 * 256 * 4)
    refused = cli("features", "prune")
    assert refused.returncode == 2
    assert "--all" in refused.stderr
    assert f"Stored are those of: {MODEL}." in cli("features", "prune", "--network", "vgg16").stderr
    assert "Deleted 5 feature vectors." in cli("features", "prune", "--all").stdout
    assert cli.json("features") == []


def test_without_features_none_are_kept(cli: Cli, photographs):
    summary = cli.json("label", photographs(3), "--model", MODEL, "--no-features")
    assert summary["num_predictions"] == 3
    assert cli.json("features") == []


def test_a_job_tells_what_its_seconds_went_into(cli: Cli, photographs):
    summary = cli.json("label", photographs(5), "--model", MODEL)
    stages = cli.json("jobs", "show", str(summary["job_id"]))["stages"]
    assert list(stages) == ["read_s", "decode_s", "wait_s", "engine_s", "write_s"]
    assert all(stages[name] > 0 for name in ("decode_s", "engine_s"))
    assert "engine" in cli("jobs", "show", str(summary["job_id"])).stdout
