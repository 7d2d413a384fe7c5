"""`labelyard notifications test` in a process of its own: what arrives, and that no secret is shown."""

import json

from listeners import mail_server, webhook_receiver
from program import Cli

KEY = "c2VjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWU="
HOOK, PASSWORD = "T0KEN-OF-THE-PATH", "p%40ss-w0rd"
SECRETS = (KEY, HOOK, PASSWORD, "p@ss-w0rd")


def test_a_test_is_no_job_that_has_ended_and_no_secret_is_shown(cli: Cli):
    with webhook_receiver() as receiver, mail_server() as box:
        cli.env |= {
            "LABELYARD_WEBHOOK_URL": receiver.url.replace("/hook", f"/{HOOK}"),
            "LABELYARD_WEBHOOK_SECRET": f"whsec_{KEY}",
            "LABELYARD_SMTP_URL": f"smtp://127.0.0.1:{box.port}",
            "LABELYARD_MAIL_FROM": "labels@example.org",
            "LABELYARD_MAIL_TO": "ada@example.org",
            "LABELYARD_LOG_LEVEL": "DEBUG",
        }
        cli("db", "upgrade")
        sent = cli("notifications", "test")
        assert (sent.returncode, sent.stdout) == (0, "webhook: delivered\nemail: delivered\n")
        assert receiver.paths == [f"/{HOOK}"]
        assert json.loads(receiver.requests[0][1])["type"] == "test"
        assert "test" in box.mails[0]["subject"]

        receiver.statuses = [500]
        cli.env["LABELYARD_SMTP_URL"] = f"smtp://ada:{PASSWORD}@127.0.0.1:{box.port}"
        failed = cli("notifications", "test")
        assert failed.returncode == 1
        assert "500" in failed.stdout
        shown = cli("settings", "--json")
        for done in (sent, failed, shown):
            assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]
