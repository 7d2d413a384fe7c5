"""A real Redis with TLS and with users, for tests. The wheels' Redis has no TLS, so it is the system's.

Knows nothing of pytest.
"""

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import trustme
from server_process import HOST, ServerMissingError
from servers import RedisServer

DEPLOYMENT = Path(__file__).parents[1] / "docs" / "how-to" / "secure.md"
# Characters that mean something in a URL.
PASSWORD = "p@ss/w%rd:#?&"


class TlsRedisServer(RedisServer):
    """A Redis that listens with TLS alone and knows the users of docs/how-to/secure.md, all with `PASSWORD`.

    Raises:
        ServerMissingError: no redis-server on the PATH that was built with TLS.
    """

    def __init__(self) -> None:
        binary = find_tls_redis()
        super().__init__()
        self._binary = binary
        self.authority = self.folder / "ca.pem"
        self.other_authority = self.folder / "other.pem"
        key_and_certificate = self._certify()
        lines = [
            "port 0",
            f"tls-port {self.port}",
            f"tls-cert-file {key_and_certificate}",
            f"tls-key-file {key_and_certificate}",
            f"tls-ca-cert-file {self.authority}",
            "tls-auth-clients no",
            f"user admin on >{self.password} ~* &* +@all",
            *documented_users(),
        ]
        with (self.folder / "redis.conf").open("a") as file:
            file.write("\n".join(lines))

    def url_for(self, user: str, *, password: str = PASSWORD, authority: Path | None = None) -> str:
        """Where a user finds logical database 0."""
        options = f"ssl_ca_certs={authority or self.authority}&ssl_cert_reqs=required"
        return f"rediss://{user}:{quote(password, safe='')}@{HOST}:{self.port}/0?{options}"

    def _url(self, number: int) -> str:
        return self.url_for("admin", password=self.password).replace("/0?", f"/{number}?")

    def _certify(self) -> Path:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        trustme.CA().cert_pem.write_to_path(self.other_authority)
        path = self.folder / "redis.pem"
        authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(path)
        return path


def documented_users() -> list[str]:
    """The ACL of docs/how-to/secure.md, with a password."""
    section = re.search(r"<!-- acl.*?```\n(.*?)```", DEPLOYMENT.read_text(), re.DOTALL)
    assert section is not None
    return [line.replace(">CHANGE-ME", f'">{PASSWORD}"') for line in section[1].splitlines()]


def find_tls_redis() -> Path:
    """The redis-server on the PATH, if it was built with TLS."""
    found = shutil.which("redis-server")
    # One without TLS takes `tls-port` for a mistake.
    if (
        found is not None
        and "tls-port"
        not in subprocess.run(
            [found, "--port", "0", "--tls-port", "0", "--no-such-setting"], capture_output=True, text=True, check=False
        ).stderr
    ):
        return Path(found)
    raise ServerMissingError("No redis-server with TLS on the PATH (Debian's package redis-server has it).")
