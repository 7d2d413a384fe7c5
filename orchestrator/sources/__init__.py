"""Sources: from what a user names to a stream of images that can be taken up after any of them.

Knows nothing of jobs, of the ledger, or of pixels.
"""

from orchestrator.sources.opening import open_source
from orchestrator.sources.resolving import require_image, resolve_sources
from orchestrator.sources.specs import Items, Source, SourceSpec

__all__ = ["Items", "Source", "SourceSpec", "open_source", "require_image", "resolve_sources"]
