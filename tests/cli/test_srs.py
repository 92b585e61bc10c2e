"""``mailsuite srs``: whom an address leads back to, and new secrets."""

import time
from pathlib import Path

import pytest

from mailsuite.address import Address
from mailsuite.config import load
from mailsuite.returns import Returns
from mailsuite.srs import DAY
from tests.cli.site import edit, new_site, run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A new site."""
    return new_site(tmp_path / "site")


def made(config: Path) -> str:
    """Return an address of the site for bob."""
    returns = Returns(load(config), time.time)
    returns.load()
    address = returns.restoring.rewrite(Address("bob", "example.net"), int(time.time() // DAY))
    assert address is not None
    return str(address)


def test_what_was_made_before_a_new_secret_is_good(config: Path) -> None:
    """And is read by whoever may read the secrets."""
    address = made(config)
    assert address.endswith("@mail.example.org")

    rotated = run("srs", "rotate", "-c", config)

    assert rotated.exit_code == 0, rotated.output
    assert "has 2 secrets now" in rotated.output
    for each in (address, made(config)):
        assert run("srs", "read", each, "-c", config).output == "bob@example.net\n"
    assert made(config) != address


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("SRS0=AAAAAA=AA=example.net=bob@mail.example.org", "it was not made here"),
        ("SRS0=AAAAAA=AA=example.net=bob@example.org", "is no return address in mail.example.org"),
        ("bob@mail.example.org", "is no return address in mail.example.org"),
        ("bob", "is not an address"),
    ],
)
def test_what_leads_to_nobody(config: Path, address: str, why: str) -> None:
    """It says why."""
    refused = run("srs", "read", address, "-c", config)

    assert refused.exit_code == 1
    assert why in refused.output


def test_a_domain_of_their_own(config: Path) -> None:
    """It is looked at in the configuration; secrets that are none are said."""
    with open(config, "a") as file:
        file.write('\n[srs]\ndomain = "srs.example.org"\n')
    assert made(config).endswith("@srs.example.org")
    edit(config, "srs.example.org", "srs example")
    assert "srs.domain" in run("srs", "rotate", "-c", config).output
    edit(config, "srs example", "srs.example.org")
    (config.parent / "srs-secrets").write_text("none\n")
    assert "srs-secrets:1: expected a day" in run("srs", "rotate", "-c", config).output
