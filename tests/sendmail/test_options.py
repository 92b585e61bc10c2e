"""What programs give to sendmail is understood, or refused with the reason."""

import re

import pytest

from mailsuite.sendmail.exit_codes import USAGE, Ends
from mailsuite.sendmail.options import PATIENCE, Options, parse
from tests.cli.site import run


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", Options()),
        ("root bob@b.example", Options(recipients=["root", "bob@b.example"])),
        # cron of Debian and of others, at, PHP, mailx, mutt, git send-email, Mailman
        ("-i -FCronDaemon -B8BITMIME -oem root", Options(dots=True, full_name="CronDaemon", recipients=["root"])),
        ("-FCronDaemon -odi -oem -oi -t -f root",
         Options(by_header=True, dots=True, full_name="CronDaemon", sender="root")),
        ("-t -i", Options(by_header=True, dots=True)),
        ("-ti -fweb@b.example", Options(by_header=True, dots=True, sender="web@b.example")),
        ("-r a@b.example -s", Options(sender="a@b.example")),
        ("-oi -oem -f <> -- -odd@b.example", Options(dots=True, sender="", recipients=["-odd@b.example"])),
        ("root -f a@b.example", Options(sender="a@b.example", recipients=["root"])),
        ("-Nsuccess,delay -Rhdrs -V id+1", Options(notify="SUCCESS,DELAY", returned="HDRS", envelope_id="id+1")),
        ("-N never -odq -d0.1 -v -m -U -G -L tag -h 3 -C /etc/x -X log -O ErrorMode=m", Options(notify="NEVER")),
        ("-bs", Options(mode="speak")),
        ("-bm -bp", Options(mode="list")),
        ("-bi", Options(mode="aliases")),
        ("-I", Options(mode="aliases")),
        ("-q", Options(mode="retry")),
        ("-q15m", Options(mode="retry")),
        ("-O Timeout.connect=2m", Options(patience=120.0)),
        ("-O timeout.connect=0", Options(patience=0.0)),
        ("-", Options(recipients=["-"])),
    ],
)  # fmt: skip
def test_understood(line: str, expected: Options) -> None:
    """As sendmail has them: in clusters, with values behind the letter or as the next argument, between recipients."""
    assert parse(line.split()) == expected
    assert Options().patience == PATIENCE


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-Z", "there is no option -Z"),
        ("--verbose", "there is no option --verbose;"),
        ("-f", "-f needs a value"),
        ("-bd", "the server is started by"),
        ("-bv root", "addresses are looked up"),
        ("-bx", "-b: expected one of"),
        ("-N sometimes", "-N: expected never"),
        ("-N never,delay", "-N: expected never"),
        ("-R half", "-R: expected one of FULL, HDRS"),
        ("-O Timeout.connect=soon", "expected a time such as 30s"),
    ],
)
def test_refused(line: str, said: str) -> None:
    """EX_USAGE, and what is wrong."""
    with pytest.raises(Ends, match=said) as caught:
        parse(line.split())

    assert caught.value.status == USAGE


@pytest.mark.parametrize("mode", "vhH")
def test_what_is_advised_can_be_said(mode: str) -> None:
    """Each command that the refusal names is one, with its options."""
    with pytest.raises(Ends) as caught:
        parse([f"-b{mode}"])
    advised = re.findall(r"mailsuite ([a-z]+(?: list)?(?: --[a-z]+)*)", str(caught.value))

    assert advised
    for command in advised:
        assert run(*command.split(), "--help").exit_code == 0
