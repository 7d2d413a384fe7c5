"""A server whose names are all attacks: of files, classes, jobs, uploads, tokens. Knows nothing of pytest."""

from pathlib import Path

import cv2
import httpx
import numpy as np
from program import MODEL, Cli, wait_for

# What would run if a name became markup, an attribute, a script or a template. No slash: these are file names too.
NAMES = (
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(2)>',
    "' onmouseover='alert(3)' x='",
    "{{ 7 * 7 }}<script>alert(4)",
    "javascript:alert(5)",
    "\u202egpj.exe",
)
CLASSES = NAMES[:3]
COLOURS = ((200, 30, 30), (30, 30, 200), (220, 220, 220))
MODEL_NAME = "names"
NUM_OF_CLASS = 8
# The pages of such a server, each with names on it or beside it.
PAGES = (
    "/",
    "/jobs",
    "/jobs/3",
    "/jobs/3/images/0",
    "/models",
    f"/models/{MODEL_NAME}",
    f"/models/{MODEL_NAME}/versions/1",
    f"/models/compare?first={MODEL_NAME}@1&second={MODEL_NAME}@2",
    "/train",
    "/upload",
    "/review",
    "/schedules",
    "/schedules/nightly",
    "/workers",
    "/settings",
    "/help",
)


def draw(folder: Path, names: tuple[str, ...], colour: tuple[int, int, int]) -> None:
    """Pictures that are called so."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(len(names))
    for name in names:
        noise = random.integers(-30, 30, (48, 64, 3))
        image = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
        (folder / name).write_bytes(cv2.imencode(".png", image)[1].tobytes())


def write_pictures(folder: Path) -> tuple[Path, Path]:
    """A dataset whose classes are attacks, and a folder of pictures whose names are."""
    for name, colour in zip(CLASSES, COLOURS, strict=True):
        draw(folder / "dataset" / name, tuple(f"{number}.png" for number in range(NUM_OF_CLASS)), colour)
    for colour, half in zip(COLOURS, (NAMES[:3], NAMES[3:]), strict=False):
        draw(folder / "pictures", tuple(f"{name}.png" for name in half), colour)
    (folder / "pictures" / f"{NAMES[0]}broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 40)
    return folder / "dataset", folder / "pictures"


def fill(address: str, cli: Cli, folder: Path) -> None:
    """Have a server train, label and keep things that are called so."""
    dataset, pictures = write_pictures(folder)
    with httpx.Client(base_url=f"{address}/api/v1", timeout=60) as api:
        for seed in (0, 1):
            job = {"dataset": str(dataset), "name": MODEL_NAME, "backbone": MODEL, "seed": seed, "epochs": 5}
            finish(api, api.post("trainings", json=job))
        finish(api, api.post("jobs", json={"sources": [str(pictures)], "models": [MODEL_NAME], "name": NAMES[0]}))
        api.post("review/next", json={"model": MODEL_NAME, "count": len(NAMES)}).raise_for_status()
        api.post("uploads", json={"name": NAMES[1]}).raise_for_status()
        schedule = {"name": "nightly", "model": MODEL_NAME, "cron": "0 3 1 1 *"}
        api.post("schedules", json=schedule).raise_for_status()
    assert cli("tokens", "create", NAMES[3]).returncode == 0


def finish(api: httpx.Client, accepted: httpx.Response) -> None:
    """Wait for a job to be done."""
    assert accepted.status_code == 202, accepted.text
    number = accepted.json()["job_id"]
    wait_for(lambda: api.get(f"jobs/{number}").json()["state"] == "done", f"job {number}")
