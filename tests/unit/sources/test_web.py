"""The web as a source, against real servers: nothing private is reached, nothing is endless, failures pass."""

import socket
import threading
import tracemalloc

import pytest
from containers import JPEG

from core.errors import InputError, SourceError
from core.items import FileLocator
from core.types import Reason
from workers.access import Access
from workers.ml.limits import ImageLimits
from workers.reading import ItemReader
from workers.web import NUM_ATTEMPTS, is_public

LIMITS = ImageLimits(max_bytes=10**6, max_pixels=10**6)
OPEN = Access(allow_private_hosts=True)
PRIVATE = [
    *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "::ffff:127.0.0.1"),
    *("::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2002:a00:1::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
    *("2001:db8::1", "::127.0.0.1", "2001::1"),
]
METADATA = "http://169.254.169.254/latest/meta-data/a.jpg"


def read(url, access=OPEN):
    with ItemReader(LIMITS, access) as reader:
        return reader.read(FileLocator(url))


def error_of(url, access=OPEN):
    with pytest.raises(InputError) as caught:
        read(url, access)
    assert caught.value.detail.endswith((".", ")."))
    return caught.value


@pytest.mark.parametrize("address", PRIVATE)
def test_address_that_is_not_of_the_internet(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::1.1.1.1", "::ffff:1.1.1.1", "2002:101:101::"]
)
def test_address_of_the_internet(address):
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "2130706433"])
def test_this_machine_is_not_reached_by_any_of_its_names(server, resolve, host):
    server.send("/a.jpg", JPEG)
    url = f"{server.address}/a.jpg".replace("127.0.0.1", host)

    error = error_of(url, Access())
    with pytest.raises(SourceError) as caught:
        resolve(url, allow_http=True, access=Access())

    assert not server.num_requests
    if host not in ("127.1", "2130706433"):
        # aiohttp itself refuses addresses that are not written out.
        assert error.reason is Reason.NOT_ALLOWED
        assert "LABELYARD_ALLOW_PRIVATE_HOSTS" in error.detail
        assert "LABELYARD_ALLOW_PRIVATE_HOSTS" in str(caught.value)


def test_name_is_judged_by_the_address_that_is_connected_to(server, monkeypatch):
    url = server.send("/a.jpg", JPEG).replace("127.0.0.1", "images.example")
    asked = []

    def resolve(host, port, *_, **__):
        """Answers with a public address first, then with a private one, as an attacker's name server does."""
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    resolve("images.example", 80)

    assert error_of(url, Access()).reason is Reason.NOT_ALLOWED
    assert asked == ["images.example"] * 2
    assert not server.num_requests


def test_redirect_to_a_private_address_is_refused(server, monkeypatch):
    other = "http://127.0.0.2:9/secret"
    monkeypatch.setattr("workers.web.is_public", lambda address: address == "127.0.0.1")
    server.send("/fine.jpg", JPEG)

    assert read(server.redirect("/1", "/fine.jpg"), Access()) == JPEG
    for target in (METADATA, other, "http://[::1]/", "http://localhost.localdomain:9/", "http://10.0.0.1/a.jpg"):
        error = error_of(server.redirect("/2", server.redirect("/3", target)), Access())
        assert error.reason in (Reason.NOT_ALLOWED, Reason.UNREADABLE)
        assert error.reason is Reason.NOT_ALLOWED or "localdomain" in target


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1/", "s3://bucket/a"])
def test_redirect_to_another_scheme_is_not_followed(server, target):
    error = error_of(server.redirect("/a.jpg", target))

    assert error.reason is Reason.UNREADABLE
    assert "Redirect" in error.detail


def test_redirects_end(server):
    error = error_of(server.redirect("/a.jpg", "/a.jpg"))

    assert error.reason is Reason.UNREADABLE
    assert server.num_requests["/a.jpg"] <= 11


def test_redirect_out_of_the_roots_is_refused(server):
    access = Access((f"{server.address}/photos",), allow_private_hosts=True)
    server.send("/photos/a.jpg", JPEG)
    server.send("/secret/a.jpg", b"secret")

    assert read(server.redirect("/photos/1", "/photos/a.jpg"), access) == JPEG
    error = error_of(server.redirect("/photos/2", "/secret/a.jpg"), access)
    assert error.reason is Reason.NOT_ALLOWED
    assert "outside of what may be read" in error.detail
    assert not server.num_requests["/secret/a.jpg"]


@pytest.mark.parametrize("length", [None, 10**12])
def test_answer_that_does_not_end_is_cut_off_at_the_limit(server, length):
    url = server.pour("/a.jpg", length=length)
    tracemalloc.start()

    error = error_of(url)

    assert error.reason is Reason.TOO_MANY_BYTES
    assert tracemalloc.get_traced_memory()[1] < 20 * LIMITS.max_bytes
    tracemalloc.stop()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pause_s", [0.05, 30.0])
def test_server_that_drips_or_falls_silent_does_not_hold_a_worker(server, pause_s):
    url = server.pour("/a.jpg", piece=b"x", pause_s=pause_s)

    error = error_of(url, Access(allow_private_hosts=True, url_timeout_s=1.0))

    server.has_ended.set()
    assert error.reason is Reason.UNREADABLE
    assert "did not arrive within 1 seconds (LABELYARD_URL_TIMEOUT_S)" in error.detail


@pytest.mark.timeout(60)
def test_server_that_accepts_and_says_nothing_does_not_hold_a_worker():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.jpg"

        error = error_of(url, Access(allow_private_hosts=True, url_timeout_s=0.5))

    assert error.reason is Reason.UNREADABLE


@pytest.mark.parametrize("failure", [0, 408, 429, 500, 502, 503, 504])
def test_image_is_asked_for_again_where_the_network_or_the_server_failed(server, failure):
    url = server.send("/a.jpg", JPEG, failing=NUM_ATTEMPTS - 1, failure=failure)

    assert read(url) == JPEG
    assert server.num_requests["/a.jpg"] == NUM_ATTEMPTS


def test_answer_that_breaks_off_is_asked_for_again(server):
    def answer(request):
        request.send_response(200)
        request.send_header("Content-Length", str(len(JPEG)))
        request.end_headers()
        request.wfile.write(JPEG if server.num_requests["/a.jpg"] == 3 else JPEG[:4])

    assert read(server.answer("/a.jpg", answer)) == JPEG


def test_server_that_goes_on_failing_is_unreadable(server):
    error = error_of(server.send("/a.jpg", JPEG, failing=10**6))

    assert error.reason is Reason.UNREADABLE
    assert "503" in error.detail
    assert server.num_requests["/a.jpg"] == NUM_ATTEMPTS


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_answer_that_will_not_change_is_not_asked_for_again(server, status):
    error = error_of(server.send("/a.jpg", JPEG, failing=10**6, failure=status))

    assert error.reason is (Reason.NOT_FOUND if status == 404 else Reason.UNREADABLE)
    assert server.num_requests["/a.jpg"] == 1


def test_host_that_comes_up_late_is_reached():
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    late = threading.Timer(0.3, lambda: ready.append(socket.create_server(("127.0.0.1", port))))
    ready = []

    def serve():
        late.join()
        connection, _ = ready[0].accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    serving = threading.Thread(target=serve)
    late.start()
    serving.start()
    assert read(f"http://127.0.0.1:{port}/a.jpg") == b"late"
    serving.join()
    ready[0].close()
