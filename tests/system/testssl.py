"""testssl.sh, which asks a server for all that is known to be wrong with TLS, and what is made of its findings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.system.programs import run
from tests.system.site import HOSTNAME

# What is asked: versions, groups of suites, forward secrecy, the server's order of suites, its first words and
# certificate, and the known vulnerabilities.
_QUESTIONS = ("--protocols", "--std", "--fs", "--server-preference", "--server-defaults", "--vulnerable")

# Findings that say nothing of how the suite is built.
EXCEPTIONS: Mapping[str, str] = {
    "cert_chain_of_trust": "a site begins with a self-signed certificate; only its owner can get another",
    "cert_revocation": "a self-signed certificate has nobody who could revoke it",
    "engine_problem": "of the scanning program: it looks for suites that the system's openssl does not have",
    "sessionresumption_ticket": "of the scanning program: it leaves before the ticket of TLS 1.3 may have come",
}
# Findings that must be there and good; without them the scan did not get through.
EXPECTED = frozenset(
    {
        "SSLv2",
        "SSLv3",
        "TLS1_2",
        "TLS1_3",
        "cipherlist_NULL",
        "cipherlist_aNULL",
        "cipherlist_EXPORT",
        "cipherlist_STRONG",
        "PFS",
        "cipher_order",
        "cert_trust",
        "heartbleed",
        "CCS",
        "ROBOT",
        "secure_renego",
        "secure_client_renego",
        "CRIME_TLS",
        "SWEET32",
        "LOGJAM",
        "LUCKY13",
        "RC4",
    }
)
# The scanner's names; FATAL and WARN are for what it could not do.
_BAD = ("MEDIUM", "HIGH", "CRITICAL", "FATAL", "WARN")


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer: what was asked, how bad the answer is, and what it says."""

    name: str
    severity: str
    text: str

    @property
    def counts(self) -> bool:
        """Whether this is bad, and ours to mend."""
        return self.severity in _BAD and self.name not in EXCEPTIONS


def scan(port: int, starttls: str | None, home: Path) -> list[Finding]:
    """Scan a port of loopback; *starttls* is the protocol in which TLS begins, where it does not come first."""
    report = home / "report.json"
    begin = [] if starttls is None else ["--starttls", starttls]
    command = ["testssl", *_QUESTIONS, *begin, "--jsonfile", str(report), "--warnings", "off", "--color", "0"]
    command += ["--nodns", "none", "--ip", "127.0.0.1", f"{HOSTNAME}:{port}"]
    # Its status is the number of findings.
    run(command, given=b"", status=None, home=home, seconds=600)
    return [Finding(each["id"], each["severity"], each["finding"]) for each in json.loads(report.read_text())]
