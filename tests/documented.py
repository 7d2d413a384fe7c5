"""What the commands of README.md and docs/ need to be run, and which are not run: tables. Knows nothing of pytest.

A page is followed from its beginning to its end; what stands here is what a reader would have by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from documents import ROOT, read_blocks, read_lines, split
from pictures import write_labelled_pictures, write_photographs
from program import MODEL
from tutorials import CTRL_C

# Folders of pictures, by the names that documents give them: photographs, and those with one folder per class.
PLAIN = ("photos", "MORE_PHOTOS", "NEW_PHOTOS")
LABELLED = ("PHOTOS", "OTHER_PHOTOS", "DATASET")
NUM_PHOTOGRAPHS, NUM_OF_CLASS = 60, 12
NUM_CORRECTED = 50  # what the schedules of the documents wait for

# Placeholders, as regular expressions, and what is put in their place. In braces: what only the test knows.
PLACEHOLDERS = {
    # The one network whose weights every machine has; others are where somebody downloaded them.
    r"\bmobilenet(-0\.75)?(?![\w.-])": MODEL,
    r"^labelyard label (?!.*--model)": f"labelyard label --model {MODEL} ",
    r"\bHat\b": "red",
    r"photos/7\.jpg": "photos/00007.jpg",
    r"/shared/photos\b": "photos",
    r"/home/me/": "{folder}/",
    r"postgresql://USER:PASSWORD@HOST/labelyard": "{database}",
    r"redis://HOST:6379/0": "{broker}",
    r"https://example\.org/hook": "{webhook}",
    r"smtp://USER:PASSWORD@mail\.example\.org:587": "{mail}",
    r"whsec_…": "whsec_c2VjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWU=",
    r"(127\.0\.0\.1|0\.0\.0\.0):8600": r"\1:{api_port}",
    r"127\.0\.0\.1:9464": "127.0.0.1:{metrics_port}",
    r"127\.0\.0\.1:4318": "{collector}",
    r"labelyard_(worker|orchestrator)\b": r"documented_\1",
    r"(/api/v1/uploads -H .*)": r"\1 | tee upload.json",
    r"uploads/7b8d4a990f326b10": "uploads/$UPLOAD",
    r"upload:7b8d4a990f326b10": """upload:'"$UPLOAD"'""",
    r"/jobs/14\b": "/jobs/4",
}
# In lines that need a Redis and a PostgreSQL.
SERVERS = ("@HOST/labelyard", "redis://HOST")

# Programs whose commands are parsed only, or not even that, and why.
NOT_RUN = {
    "docker": "needs a container engine; tests/e2e/test_compose.py runs the commands of its services",
    "jq": "the system's, and reads the log of somebody's worker",
    "kubectl": "needs a cluster; tests/unit/test_kubernetes.py checks the manifests",
    "make": "installs, or measures for minutes, or is what runs this test; .ci/run gives the former",
    "pip": "asks a package index",
    "pre-commit": "changes the checkout",
    "promtool": "the system's; tests/integration/metrics/test_deployed.py runs it on the same files",
}
# Other lines that are not run, as they stand in the documents, and why. Each is tried, and has to fail or take long.
S3 = "needs a bucket, and a package that tests do not have"
LINES_NOT_RUN = {
    "labelyard label s3://photos/2026/ --model insects --out labels.csv": S3,
    "labelyard label 's3://photos/2026/**/*.jpg' --model insects --out labels.csv": S3,
    "labelyard label s3://photos/list.csv --column path --model insects --out labels.csv": S3,
    "labelyard label s3://photos/shards/0001.tar --model insects --out labels.csv": S3,
    "labelyard label s3://photos/2026/ --model insects --no-wait": S3,
    "ExecStart=/opt/labelyard/.venv/bin/labelyard serve": "is a line for systemd",
    "python -m benchmarks.ledger_costs --small --out costs.json": "takes long; tests/integration/test_ledger_costs.py",
    "python benchmarks/gpu.py --json": "takes long without a GPU; tests/unit/ml/test_engine_benchmark.py",
}
# Pages that other tests follow, whole or in part.
FOLLOWED_BY = {
    "docs/tutorials/first-labels.md": "tests/e2e/test_tutorials.py",
    "docs/tutorials/your-own-classes.md": "tests/e2e/test_tutorials.py",
    "docs/tutorials/nightly-retraining.md": "tests/e2e/test_tutorials.py",
    "docs/how-to/backup-and-restore.md": "tests/e2e/test_backups.py",
}


@dataclass(frozen=True)
class Part:
    """A page, or sections of it, and what its reader has and does before some lines."""

    name: str
    sections: tuple[str, ...] = ()
    is_new: bool = False  # begins with an empty state folder; else with models that are trained
    has_servers: bool = False  # begins with the settings of a Redis and a PostgreSQL, both empty
    before: Mapping[str, Sequence[str]] = field(default_factory=dict)
    after: Sequence[str] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)  # of lines that end otherwise than with 0

    @property
    def page(self) -> Path:
        """Its file."""
        return ROOT / self.name

    @property
    def lines(self) -> list[str]:
        """Its lines that are run, as they stand there."""
        blocks = [block for block in read_blocks(self.page) if not self.sections or block.section in self.sections]
        return [line for block in blocks for line in read_lines(block) if not is_left_out(line)]

    @property
    def needs_servers(self) -> bool:
        """Whether there have to be a Redis and a PostgreSQL."""
        return self.has_servers or any(pattern in line for line in self.lines for pattern in SERVERS)


def program_of(line: str) -> str:
    """The program that a line runs first."""
    return next(split(line, "")).program


def is_left_out(line: str) -> bool:
    """Whether a line is not run."""
    return line in LINES_NOT_RUN or program_of(line) in NOT_RUN


# What trained pages begin with: jobs 1 to 3.
TRAINING = [f"labelyard train PHOTOS --name {name} --backbone {MODEL}" for name in ("insects", "parts", "parts")]
EXAMPLE_JOB = "labelyard label photos --model {}"
NO_WAIT = [f"labelyard label {name} --model {MODEL} --no-wait" for name in ("MORE_PHOTOS", "NEW_PHOTOS", "PHOTOS")]
READ_ID = """export UPLOAD=$(python -c 'import json; print(json.load(open("upload.json"))["id"])')"""
SEND = "curl -T chelsea.png http://127.0.0.1:8600/api/v1/uploads/7b8d4a990f326b10/files/chelsea.png"
TASKS = "labelyard labels export --model parts --format label-studio --job 11 --out tasks.json --config page.xml"
ANSWER = "labelyard labels add photos/00001.jpg red --model parts"
IMPORT = "labelyard labels import export.json --model parts"
ADD = "labelyard labels add photos/7.jpg Hat --model parts"
MAKE_ROLES = [
    f'psql -q "$OWNERS_URL" -c "{statement} documented_{role}"'
    for role in ("worker", "orchestrator")
    for statement in ("DROP ROLE IF EXISTS", "CREATE ROLE")
]
GRANTS = 'labelyard db grants --worker labelyard_worker --orchestrator labelyard_orchestrator | psql "$OWNERS_URL"'
LABEL_SHARED = "labelyard label /shared/photos --model insects --out labels.csv"
SCHEDULE = (
    'labelyard schedule add --name nightly --model insects --cron "0 3 * * *" --tz Asia/Seoul '
    '--when "new_labels>=50 or age>7d"'
)
ROLES = {GRANTS: MAKE_ROLES}
REMOVE_ROLES = [
    f'psql -q "$OWNERS_URL" -c "{statement} documented_{role}"'
    for role in ("worker", "orchestrator")
    for statement in ("DROP OWNED BY", "DROP ROLE")
]

PARTS = [
    Part(
        "README.md",
        ("Label your own", "Train your own", "Correct it, and train it again every night", "See it"),
        is_new=True,
    ),
    Part(
        "README.md",
        ("Many machines",),
        # Jobs that nobody works at are neither done nor failed: there are things to do with them.
        before={"labelyard jobs": [CTRL_C, *NO_WAIT]},
        instead={"^labelyard jobs retry 3$": "labelyard jobs retry 1"},  # one that has ended
    ),
    Part("docs/explanation/performance.md"),
    Part(
        "docs/explanation/retraining.md",
        before={SCHEDULE: [EXAMPLE_JOB.format("insects")]},
        instead={"^labelyard export 9 ": "labelyard export 7 "},
    ),
    Part("docs/explanation/training.md"),
    Part("docs/how-to/backup-and-restore.md", ("One model alone",)),
    Part("docs/how-to/dashboard.md"),
    Part("docs/how-to/flower.md", has_servers=True),
    Part(
        "docs/how-to/gpu.md",
        ("Install", "Insist on it"),
        has_servers=True,
        before={"export LABELYARD_DEVICE=gpu": ["export CUDA_VISIBLE_DEVICES="]},
        statuses={"labelyard worker --preload mobilenet-0.75": 3},
    ),
    Part("docs/how-to/gpu.md", ("Several cards",), has_servers=True),
    Part(
        "docs/how-to/label-studio.md",
        before={TASKS: [EXAMPLE_JOB.format("parts"), ANSWER], IMPORT: ["cp tasks.json export.json"]},
        instead={"--job 11": "--job 4"},
    ),
    Part(
        "docs/how-to/labels.md",
        is_new=True,  # its examples are of one model
        before={ADD: [TRAINING[1], EXAMPLE_JOB.format("parts")]},
        instead={"--job 4": "--job 2"},
    ),
    Part("docs/how-to/monitor.md", has_servers=True),
    Part("docs/how-to/notifications.md"),
    Part("docs/how-to/review.md"),
    Part("docs/how-to/s3.md"),
    Part("docs/how-to/scale-out.md", before={LABEL_SHARED: [TRAINING[0]]}),
    Part("docs/how-to/secure.md", has_servers=True, before=ROLES, after=REMOVE_ROLES),
    Part("docs/how-to/upgrade.md", has_servers=True, before=ROLES, after=REMOVE_ROLES),
    Part("docs/reference/http-api.md", before={SEND: [READ_ID]}),
]


def draw_pictures(folder: Path) -> None:
    """What a reader of these pages has: pictures, and files that people filled in."""
    for name in PLAIN:
        write_photographs(folder / name, NUM_PHOTOGRAPHS)
    for name in LABELLED:
        write_labelled_pictures(folder / name, num_images=NUM_OF_CLASS)
    (folder / "chelsea.png").write_bytes((folder / "PHOTOS" / "red" / "00.png").read_bytes())
    rows = [f"photos/{number:05d}.jpg,red" for number in range(NUM_CORRECTED)]
    (folder / "corrections.csv").write_text("\n".join(["image,label", *rows, ""]), encoding="utf-8")
