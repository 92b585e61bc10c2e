"""The options that select: what no message can fit is said to be so, and taken for nothing else."""

from pathlib import Path

import pytest

from tests.cli.site import new_site, run


@pytest.mark.parametrize("command", ["list", "remove"])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--sender", ""], "'' is no address; expected one such as a@example.org, or @example.org"),
        (["--sender", "a@"], "'a@' is no address; expected"),
        (["--sender", "<a@>"], "'<a@>' is no address; expected"),
        (["--sender", "example.org"], "'example.org' is no address; expected"),
        (["--recipient", ""], "'' is no address; expected"),
        (["--recipient", "<>"], "'<>' is no address; expected"),
        (["--recipient", "example.org"], "'example.org' is no address; expected"),
        (["--domain", ""], "'' is no domain; expected one such as example.org"),
        (["--domain", "a@example.org"], "'a@example.org' is no domain; expected"),
        (["--domain", "a b"], "'a b' is no domain; expected"),
        (["--domain", "caf\udce9.example"], "'caf\\udce9.example' is not UTF-8, so no mail can have it"),
        (["--sender", "a@caf\udce9.example"], "is not UTF-8"),
        (["--destination", "caf\udce9"], "is not UTF-8"),
        (["--id", "caf\udce9"], "is not UTF-8"),
        (["--older", "5"], "'5' is no span of time; expected one such as 90m"),
        (["--younger", "-5m"], "'-5m' is no span of time; expected"),
        (["--older", f"{'9' * 400}d"], "is too long; expected 36500d at most"),
        (["--limit", "0"], "--limit"),
        (["--status", "lost"], "'lost' is not one of"),
    ],
)
def test_a_slip_is_told_of(tmp_path: Path, command: str, words: list[str], told: str) -> None:
    """Above all where a script's empty variable would else mean all reports."""
    result = run("queue", command, *words, "-c", new_site(tmp_path / "site"))

    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--sender", "<>"],
        ["--sender", "<a@example.org>"],
        ["--sender", "@example.org"],
        ["--recipient", '"a b"@example.org'],
        ["--recipient", "a@[192.0.2.1]"],
        ["--domain", "[192.0.2.1]"],
        ["--domain", "b\u00fccher.example"],
    ],
)
def test_what_mail_can_have_is_looked_for(tmp_path: Path, words: list[str]) -> None:
    """In a queue that the server has yet to make."""
    result = run("queue", "list", *words, "-c", new_site(tmp_path / "site"))

    assert (result.exit_code, "there is no queue" in result.stderr) == (1, True)
