"""A training of a head, in a process of its own, imports neither Keras nor TensorFlow and loads no network."""

import subprocess
import sys

PROGRAM = """
import sys
from contextlib import nullcontext
from types import SimpleNamespace as Fake

import numpy as np

from core.training import TrainOptions
from core.types import Split
from db.samples import Sample
from workers.ml.catalog import get_backbone
from workers.training.contents import Contents
from workers.training.division import Division
from workers.training.fits import Fitter
from workers.training.stages import StageRunner

options = TrainOptions("vgg16", ("a", "b"))
labels = [Fake(class_index=number, label=name, label_id=name) for number, name in enumerate(options.classes)]
samples = tuple(Sample(number, str(number), "", number % 2, None) for number in range(20))
features = {str(n): np.full(4096, n % 2, np.float32) for n in range(20)}
session = Fake(scalars=lambda query: labels)
work = Fake(options=options, spec=get_backbone("vgg16"), model=Fake(id=1))
tools = Fake(work=work, runtime=Fake(database=Fake(read=lambda: nullcontext(session))))
contents = Contents({number: str(number) for number in range(20)}, {}, features)
division = Division({Split.TRAIN: samples[:12], Split.VAL: samples[12:]}, (), "")
checkpoints = Fake(load=lambda: None, save=lambda stage, state, epoch: None)
runner = StageRunner(options, samples[:12], checkpoints, Fake(progressed=lambda: None))

fitted = Fitter(tools, contents, division, runner).fit()
answers = fitted.head.probabilities(np.stack([features["0"], features["1"]])).argmax(axis=1).tolist()
heavy = sorted({"keras", "tensorflow"} & set(sys.modules))
print(answers, fitted.num_trainable, fitted.num_frozen, heavy)
"""


def test_training_a_head_imports_neither_keras_nor_tensorflow():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-2] == "[0, 1] 8194 134260544 []"
