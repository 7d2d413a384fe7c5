"""Uploads: files that came by HTTP, each upload in a folder of its own, as a source like any other: `upload:ID`.

Knows nothing of HTTP.
"""

from orchestrator.uploads.naming import file_path, upload_place
from orchestrator.uploads.storing import Uploads
from orchestrator.uploads.values import UploadSummary

__all__ = ["UploadSummary", "Uploads", "file_path", "upload_place"]
