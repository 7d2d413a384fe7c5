"""Taking files in: each appears in its upload's folder when it is complete, and not at all otherwise."""

import errno
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy.orm import Session

from core.errors import UnknownUploadError, UploadError, UploadTooLargeError
from core.settings import Settings
from db.database import Database
from db.uploads import add_upload, get_upload, grow_upload, remove_upload
from orchestrator.uploads.naming import file_path
from orchestrator.uploads.unpacking import is_zip, unpack
from orchestrator.uploads.values import UploadSummary

ID_BYTES = 8
MAX_FILES = 100_000
MAX_NAME_LENGTH = 200
# Beside the uploads, so that what is complete is renamed and not copied.
_INCOMING = ".incoming"
# What the system says of a name that something else has, and of a disk on which others were faster.
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR)
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Uploads:
    """The uploads of one state folder.

    Args:
        database: where they are noted.
        settings: where they lie, and how large one may be.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._folder = settings.upload_folder
        self._max_bytes = settings.max_upload_bytes
        self._min_free_bytes = settings.min_free_bytes

    def create(self, name: str, *, token_id: str | None) -> UploadSummary:
        """Begin an upload, which has no files yet.

        Raises:
            UploadError: the name cannot be one.
        """
        if not name.strip() or len(name) > MAX_NAME_LENGTH:
            raise UploadError(
                f"Received {name[:200]!r} as an upload's name. Expected 1 to {MAX_NAME_LENGTH} characters."
            )
        upload_id = secrets.token_hex(ID_BYTES)
        self.folder(upload_id).mkdir(parents=True)
        return self._database.transact(
            lambda session: UploadSummary.of(add_upload(session, upload_id, name, token_id=token_id))
        )

    def folder(self, upload_id: str) -> Path:
        """Where the files of an upload lie."""
        return self._folder / upload_id

    def add(self, upload_id: str, name: str, content: Iterable[bytes]) -> UploadSummary:
        """Take one file in; a ZIP archive is unpacked into a folder of its name.

        Args:
            upload_id: the upload.
            name: the file's, with folders if it has any.
            content: its bytes, piece by piece.

        Raises:
            UnknownUploadError: there is no such upload.
            UploadError: it is too large, or called what no file may be called; nothing of it is kept.
        """
        with self._database.read() as session:
            upload = get_upload(session, upload_id)
            budget = _Budget(MAX_FILES - upload.num_files, self._max_bytes - upload.num_bytes, self._free_bytes())
        target = file_path(self.folder(upload_id), name)
        with self._receiving() as incoming:
            received = incoming / "file"
            with received.open("xb") as file:
                _write(file, content, budget)
            if is_zip(target):
                budget = budget.without_archive()
                unpacked = incoming / "unpacked"
                unpacked.mkdir()
                archive = received.rename(incoming / target.name)
                num_files = unpack(archive, unpacked, max_files=budget.num_files_left, take=budget.take)
                received, target = unpacked, target.with_suffix("")
            else:
                num_files = 1
                budget.require_file()
            _move(received, target, name)
        return self._note(upload_id, target, num_files=num_files, num_bytes=budget.num_bytes_taken)

    def _note(self, upload_id: str, target: Path, *, num_files: int, num_bytes: int) -> UploadSummary:
        """Count what has come; what cannot be counted is deleted, so that sending it again finds its name free."""

        def note(session: Session) -> UploadSummary:
            grow_upload(session, upload_id, num_files=num_files, num_bytes=num_bytes)
            grown = UploadSummary.of(get_upload(session, upload_id))
            if grown.num_files > MAX_FILES or grown.num_bytes > self._max_bytes:
                raise UploadTooLargeError(
                    f"Others sent files to the upload in the same moment, and together it would hold more than "
                    f"{MAX_FILES:,} files or {self._max_bytes:,} bytes. Expected no more; begin another."
                )
            return grown

        try:
            return self._database.transact(note)
        except UnknownUploadError:
            # It was removed while this came in.
            shutil.rmtree(self.folder(upload_id), ignore_errors=True)
            raise
        except BaseException:
            _delete(target)
            raise

    def remove(self, upload_id: str) -> None:
        """Delete an upload and its files. Jobs that have them end with errors for those that they have not read.

        Raises:
            UnknownUploadError: there is no such upload.
        """
        self._database.transact(lambda session: remove_upload(session, upload_id))
        shutil.rmtree(self.folder(upload_id), ignore_errors=True)

    def _free_bytes(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        return max(0, shutil.disk_usage(self._folder).free - self._min_free_bytes)

    @contextmanager
    def _receiving(self) -> Iterator[Path]:
        place = self._folder / _INCOMING
        place.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=place))
        try:
            yield folder
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise _disk_full() from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _Budget:
    """What an upload may still hold."""

    def __init__(self, num_files: int, num_bytes: int, num_free_bytes: int) -> None:
        self.num_files_left = num_files
        self.num_bytes_taken = 0
        self._num_bytes = num_bytes
        self._num_free_bytes = num_free_bytes

    def take(self, num_bytes: int) -> None:
        self.num_bytes_taken += num_bytes
        if self.num_bytes_taken > self._num_bytes:
            raise UploadTooLargeError(
                f"The upload would hold more than {self._num_bytes:,} bytes than it does. Expected less; "
                "LABELYARD_MAX_UPLOAD_BYTES says how much one may hold."
            )
        if self.num_bytes_taken > self._num_free_bytes:
            raise _disk_full()

    def require_file(self) -> None:
        if self.num_files_left < 1:
            raise UploadTooLargeError(f"The upload holds {MAX_FILES:,} files already. Expected no more; begin another.")

    def without_archive(self) -> "_Budget":
        """The same before the archive came, which is deleted once it is unpacked."""
        return _Budget(self.num_files_left, self._num_bytes, self._num_free_bytes - self.num_bytes_taken)


def _disk_full() -> UploadTooLargeError:
    return UploadTooLargeError("The disk for uploads is full. Make room, or set LABELYARD_UPLOADS to another folder.")


def _write(file: IO[bytes], content: Iterable[bytes], budget: _Budget) -> None:
    for piece in content:
        budget.take(len(piece))
        file.write(piece)


def _move(received: Path, target: Path, name: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if received.is_dir():
            received.rename(target)
        else:
            # Unlike renaming it never replaces a file.
            target.hardlink_to(received)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        raise UploadError(f"The upload has a file or a folder {name!r} already. Expected another name.") from None


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
