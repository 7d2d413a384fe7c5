"""What is said of a broker's URL before anything is sent to it."""

import pytest

from core.errors import BrokerError
from workers.broker_url import check_url


@pytest.mark.parametrize(
    ("url", "uses_tls"),
    [
        ("redis://host", False),
        ("redis://:p%40ss%2Fw%3A@host:6380/15", False),
        ("rediss://user:word@host:6380/0", True),
        ("rediss://host/0?ssl_cert_reqs=none", True),
        (f"rediss://host/0?ssl_ca_certs={__file__}&ssl_cert_reqs=required", True),
    ],
)
def test_a_good_url_says_whether_it_asks_for_tls(url: str, uses_tls: bool):
    assert check_url(url) is uses_tls


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://u:s3cret@host//", "Expected redis://"),
        ("host:6379", "Expected redis://"),
        ("redis://:s3cret@", "Expected redis://"),
        ("redis://:s3cret@host:port/0", "Expected redis://"),
        ("redis://:s3cret@one;redis://:s3cret@two", "Expected redis://"),
        ("redis://u:1/s3cret@host/0", "percent-encoded"),
        ("redis://u:1?s3cret=1@host/0", "percent-encoded"),
        ("redis://u:1#s3cret@host/0", "percent-encoded"),
        ("redis://:s3cret@host/zero", "names the database 'zero'"),
        ("redis://:s3cret@host/0?ssl_cert_reqs=none", "has the option 'ssl_cert_reqs'"),
        ("rediss://:s3cret@host/0?socket_timeout=1", "has the option 'socket_timeout'"),
        ("rediss://:s3cret@host/0?ssl_cert_reqs=maybe", "Expected required, optional or none"),
        ("rediss://:s3cret@host/0?ssl_ca_certs=/nowhere", "no such file"),
    ],
)
def test_a_bad_url_is_refused_and_its_password_not_repeated(url: str, expected: str):
    with pytest.raises(BrokerError, match=expected) as caught:
        check_url(url)
    assert "s3cret" not in str(caught.value)
