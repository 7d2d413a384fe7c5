"""Datasets: from what a user names as DATASET to images with the classes that people gave them.

Images are found by `orchestrator.sources`, so that workers read those they learn from as they read those they label.
Knows nothing of jobs, of the ledger, or of pixels.
"""

from orchestrator.datasets.checks import check_readable, check_splittable
from orchestrator.datasets.opening import open_dataset
from orchestrator.datasets.values import Dataset, LabelledItem

__all__ = ["Dataset", "LabelledItem", "check_readable", "check_splittable", "open_dataset"]
