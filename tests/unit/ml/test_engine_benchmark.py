"""The benchmark of GPUs runs, here on a processor, with nothing but numpy, OpenCV and Keras."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "gpu.py"
# What a machine with a GPU does not have to have.
WITHOUT = """
import runpy, sys
ABSENT = {"celery", "fsspec", "openvino", "platformdirs", "pydantic", "pydantic_settings", "redis", "safetensors",
          "sqlalchemy", "structlog"}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ImportError(f"{name} is not here")
sys.meta_path.insert(0, Absent())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_it_measures_every_part_and_needs_none_of_the_services():
    arguments = ["--models", "lenet-5", "--train", "lenet-5", "--batch", "8", "--seconds", "0.1", "--json"]

    child = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(SCRIPT), *arguments], capture_output=True, text=True, check=False
    )

    assert child.returncode == 0, child.stderr
    figures = json.loads(child.stdout.splitlines()[-1])
    found = figures["networks"]["lenet-5"]
    assert found["engine"]["float32"]["batch_size"] == 8
    rates = [found["engine"]["float32"]["images_per_s"], found["decoding_images_per_s"], found["pipeline_images_per_s"]]
    rates += [figures["training"]["head_images_per_s"], figures["training"]["finetune_images_per_s"]]
    assert all(rate > 0 for rate in rates)
    assert not figures["is_accelerated"]
