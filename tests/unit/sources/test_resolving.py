import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from containers import JPEG, served

from core.errors import SourceError
from core.items import FileLocator
from orchestrator.sources import SourceSpec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gone", "gone does not exist"),
        ("gone.jpg", "gone.jpg does not exist"),
        ("P/a.jpg/below", "does not exist"),
        ("*.png", r"\*\.png holds no image"),
        ("gone-*.tar", "Nothing matches"),
        ("empty", "empty holds no image"),
        ("texts", "texts holds no image; 2 other files were passed over"),
        ("texts/a.doc", "holds no image. Expected an image, a folder"),
        ("", "is empty"),
        ("/dev/zero", "neither a file nor a folder"),
        ("nonsense://a", "nonsense://a begins with nonsense://, which is refused; expected a path, or abfs://"),
        ("memory://nothing/here", "does not exist"),
    ],
)
def test_source_that_cannot_be_labelled_is_refused(write, resolve, tmp_path, text, message):
    write("P/a.jpg")
    write("texts/a.doc", "texts/b.doc", content=b"no image")
    (tmp_path / "empty").mkdir()

    with pytest.raises(SourceError, match=message):
        resolve("P", text)


@pytest.mark.parametrize(
    "text", ["s3://key:s3cret@bucket/a.jpg", "HTTPS://me:s3cret@host/", "zip://a::s3://k:s3cret@b/c.zip"]
)
def test_url_with_a_password_is_refused_and_not_repeated(resolve, text):
    with pytest.raises(SourceError, match="holds a password") as caught:
        resolve(text)
    assert "s3cret" not in str(caught.value)


def test_single_image_is_an_item_whatever_it_is_called(write, items_of, tmp_path):
    write("photo", "a.jpg")
    write("bad.png", content=b"")

    assert items_of("photo")[0].locator == FileLocator(str(tmp_path / "photo"))
    assert [item.name for item in items_of("a.jpg", "bad.png")] == ["a.jpg", "bad.png"]


def test_sources_keep_their_order(write, names_of):
    write("b/x.jpg", "a/y.jpg")

    assert names_of("b", "a") == ["b/x.jpg", "a/y.jpg"]


def test_spec_survives_the_ledger_whatever_its_names_hold():
    spec = SourceSpec("\udcff\n\\x", "/\udcff\n\\x", column="\udcfe", allow_http=True)

    assert str(spec.to_json()).isascii()
    assert SourceSpec.from_json(spec.to_json()) == spec


@pytest.mark.skipif(bool(find_spec("s3fs")), reason="s3fs is installed: nothing is missing")
def test_protocol_whose_package_is_missing_says_what_to_install(resolve):
    with pytest.raises(SourceError, match=r"pip install 'labelyard\[s3\]'"):
        resolve("s3://bucket/photos")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_that_may_not_be_read_is_refused(write, resolve, tmp_path):
    write("a.jpg")
    (tmp_path / "a.jpg").chmod(0)

    with pytest.raises(SourceError, match="cannot be read"):
        resolve("a.jpg")


@pytest.fixture
def web(tmp_path):
    with served(tmp_path) as address:
        yield address


def test_web_address_is_asked_for_only_where_that_is_allowed(write, web, resolve, items_of):
    write("a.jpg", content=JPEG)
    write("m.txt", content=b"a.jpg\n")

    with pytest.raises(SourceError, match="--allow-http"):
        resolve(f"{web}/a.jpg")
    assert items_of(f"{web}/a.jpg?size=large", allow_http=True)[0].locator == FileLocator(f"{web}/a.jpg?size=large")
    assert items_of(f"{web}/m.txt", allow_http=True)[0].locator == FileLocator(f"{web}/a.jpg")
    with pytest.raises(SourceError, match="does not exist"):
        resolve(f"{web}/gone.jpg", allow_http=True)


def test_nothing_heavy_is_imported_for_a_folder(write, tmp_path):
    write("P/a.jpg")
    program = f"""
import sys
from pathlib import Path
from orchestrator.sources import open_source, resolve_sources
from workers.access import Access
(spec,) = resolve_sources(["P"], Access(), cwd=Path({str(tmp_path)!r}))
assert len(list(open_source(spec, Access()).items())) == 1
print([name for name in ("cv2", "numpy", "pyarrow", "fsspec", "sqlalchemy", "celery") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "[]"
