"""`docs/extensions.rst` is true: it names what each listener answers to EHLO, and every extension that there is."""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from mailsuite.app import Parts
from mailsuite.config import load
from mailsuite.config.meaning import SWITCHABLE
from mailsuite.config.tables.listen import Listener
from mailsuite.incoming import smtp_session_settings
from mailsuite.smtp.commands import EXTENSIONS
from mailsuite.smtp.extension import Extension
from mailsuite.smtp.settings import Settings
from tests.smtp.sessions import Talk

ROOT = Path(__file__).parents[2]
SITE = load(ROOT / "etc" / "mailsuite.toml")


def settings_of(listener: Listener) -> Settings:
    """Return what sessions of *listener* know, on a site whose accounts serve every mechanism."""
    offer = SimpleNamespace(serves=lambda need: True, account_of=lambda encryption: "")
    return smtp_session_settings(SITE, listener, lambda: cast(Parts, SimpleNamespace(offer=offer)))


MTA = settings_of(SITE.listen["mta"])
SUBMISSION = settings_of(SITE.listen["submission"])
SUBMISSIONS = settings_of(SITE.listen["submissions"])
LMTP = settings_of(Listener(service="lmtp", endpoint="unix:/run/mail/lmtp"))


def table() -> Iterator[dict[str, str]]:
    """Yield the rows of the table of extensions."""
    text = (ROOT / "docs" / "extensions.rst").read_text()
    block = re.search(r"^   :header: (.*)\n\n((?:   .*\n)+)", text, re.M)
    assert block is not None
    header, *rows = csv.reader([block[1], *block[2].splitlines()], skipinitialspace=True)
    for row in rows:
        cells = [cell.strip() for cell in row]
        assert len(cells) == len(header), f"{cells[0]} has {len(cells)} of {len(header)} cells"
        yield dict(zip(header, cells, strict=True))


def answer(settings: Settings, encrypted: bool = False, authenticated: bool = False) -> list[str]:
    """Return the keywords that a session offers, in their order."""
    lines = whole_answer(settings, encrypted, authenticated).splitlines()[1:]
    return [re.split("[ \r]", line[4:])[0] for line in lines]


def whole_answer(settings: Settings, encrypted: bool = False, authenticated: bool = False) -> str:
    """Return all that a session says to EHLO."""
    talk = Talk(settings, greet=False)
    talk.core.encrypted = encrypted
    talk.core.authenticated = authenticated
    talk.conversation.said = b""
    talk.say(b"LHLO x\r\n" if settings.lmtp else b"EHLO x\r\n")
    return talk.conversation.said.decode()


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("mta", answer(MTA)),
        ("mta, TLS", answer(MTA, encrypted=True)),
        ("submission", answer(SUBMISSION)),
        ("submission, TLS", answer(SUBMISSION, encrypted=True)),
        ("submission, TLS", answer(SUBMISSIONS, encrypted=True)),
        ("submission, login", answer(SUBMISSION, encrypted=True, authenticated=True)),
        ("LMTP", answer(LMTP)),
    ],
)
def test_the_answer_to_ehlo(column: str, said: list[str]) -> None:
    """What the table marks with a plus in *column* is what the session says, in that order."""
    assert [row["Keyword"] for row in table() if row[column] == r"\+"] == said
    assert {row[column] for row in table()} == {r"\+", r"\-"}


def test_the_answer_that_is_shown() -> None:
    """Word for word."""
    shown = "".join(f"    {line}\n" for line in whole_answer(MTA).splitlines())

    assert f"::\n\n{shown}\n" in (ROOT / "docs" / "extensions.rst").read_text()


def test_every_extension_is_in_the_table() -> None:
    """In the order of EHLO: whoever adds one adds a row."""
    assert [row["Keyword"] for row in table()] == [extension.keyword for extension in EXTENSIONS]


@pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda extension: str(extension.keyword))
def test_what_an_extension_adds(extension: Extension) -> None:
    """Its verbs, its parameters, its RFC, and what switches it off."""
    (row,) = [row for row in table() if row["Keyword"] == extension.keyword]
    parameters = {"MAIL": list(extension.mail_parameters), "RCPT": list(extension.rcpt_parameters)}
    if extension.keyword == "BINARYMIME":
        parameters["MAIL"] = ["BODY=BINARYMIME"]
    adds = [*extension.verbs, *(f"{verb}: {', '.join(names)}" for verb, names in parameters.items() if names)]
    source = (ROOT / f"{extension.__module__.replace('.', '/')}.py").read_text()

    assert row["Adds"] == "; ".join(adds)
    assert row["RFC"] == [*re.findall(r"RFC (\d+)", source), "none"][0]
    assert (row["Switch"] == "without") == (extension.keyword in SWITCHABLE)


@pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda extension: str(extension.keyword))
def test_every_switch_works(extension: Extension) -> None:
    """What the configuration lets a listener do without is not in the answer of one that does."""
    if extension.keyword in SWITCHABLE:
        off = replace(MTA, without=frozenset({extension.keyword}))
        assert extension.keyword not in answer(off)
