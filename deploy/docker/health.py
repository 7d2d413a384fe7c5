# ruff: noqa: INP001 - a script of the images
"""Says whether a container's process answers: asks one page, and ends with 0 if that answers 2xx. For health checks.

    python health.py http://127.0.0.1:8600/healthz

The standard library alone, so that a check every few seconds imports next to nothing. Knows nothing of Labelyard.
"""

import sys
import urllib.error
import urllib.request

TIMEOUT_S = 5.0


def ask(url: str) -> str:
    """Ask a page.

    Returns:
        What is wrong; empty where it answers.
    """
    if not url.startswith("http://"):
        return f"Received {url!r}, expected http://HOST:PORT/PATH."
    # This container's own port, whatever proxy its environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_S):
            return ""
    except (OSError, ValueError) as error:
        return f"{url} does not answer: {error}"


def main() -> int:
    """Ask the page that the command line names."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the script itself and one address
        sys.stderr.write("Usage: python health.py URL\n")
        return 2
    problem = ask(sys.argv[1])
    sys.stderr.write(f"{problem}\n" if problem else "")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
