"""What a Celery worker includes to do nothing: the product's tasks, with another hand putting the runtime together."""

from benchmarks.noop import build_runtime
from workers import tasks

tasks.build_runtime = build_runtime
