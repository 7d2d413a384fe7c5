"""Label Studio's tasks: read as it exports them, and written as it imports them.

Source: "Label Studio Task Format", https://labelstud.io/guide/task_format.html, and "Import pre-annotated data into
Label Studio", https://labelstud.io/guide/predictions.html, both read in November 2026. A task is one image; its
annotations say what people chose, its predictions what models did. What tells an image for certain travels in `meta`,
which Label Studio keeps.

Who annotated is not written as `completed_by`: Label Studio refuses a file that names anyone who is no member there,
and here people are called as they like. Source: https://github.com/HumanSignal/label-studio/pull/1184. It travels in
the choice's own `meta`, with the choice that it was said of: one that somebody changed there is not theirs any more.
"""

from orchestrator.labels.label_studio.reading import read_tasks
from orchestrator.labels.label_studio.tasks import DATA_KEY, choice, labelling_config, said

__all__ = ["DATA_KEY", "choice", "labelling_config", "read_tasks", "said"]
