"""The program: what it is called as, what it was asked for, how it ends."""

import os
import pwd
import sys
from collections.abc import Sequence
from typing import NoReturn

from mailsuite.sendmail.exit_codes import CONFIG, DATAERR, NOUSER, OK, TEMPFAIL, USAGE, Ends
from mailsuite.sendmail.options import Options, parse

# Where the server listens, unless the environment says otherwise.
SOCKET = "/run/mailsuite/submission"
VARIABLE = "MAILSUITE_SOCKET"
# No message is larger: it is held in memory until the server has it.
MESSAGE_OCTETS = 256 * 1024 * 1024

HELP = f"""\
Usage: mailsuite-sendmail [OPTIONS] [RECIPIENT...] < MESSAGE
       or by a link to it that is called sendmail, mailq or newaliases; or as mailsuite sendmail, which starts slower

Give a message to the running server of this machine, as cron and web programs do it by /usr/sbin/sendmail. The server
must listen on a UNIX socket (docs/sendmail.rst): {SOCKET}, or the one that {VARIABLE} in
the environment names. Nothing is kept here: what was not sent is the caller's to send again.

  -t            take recipients from To, Cc and Bcc, beside those that are named
  -i, -oi       a line with a lone dot is text, and does not end the message
  -f ADDRESS    the sender; but for root and other trusted users it is the own name
  -F NAME       the sender's full name, where the message has no From field
  -N LIST       when to report to the sender: never, or of success, failure and delay a list with commas
  -R full|hdrs  how much of the message a report has; -V ID: the name that it has there
  -bs           speak SMTP on standard input and output
  -bp, mailq    mailsuite queue list            -q  mailsuite queue retry --all
  -O Timeout.connect=TIME  how long to wait for a server that is away (10s)
  -C, -e, -h, -o..., -v and others that sendmail has are taken, and mean nothing here

Names without a domain get the one that the server says ([submission] origin). It ends with 0 when the server has the
message; 64 wrong usage, 65 a message that cannot be sent, 67 an address that takes no mail (the others have it),
69 refused, 75 nothing was sent, try again later, 77 not allowed, 78 no configuration that could be read (mailq, -q:
mailsuite.toml in this folder, then /etc/mailsuite/mailsuite.toml).

Example:
  printf 'Subject: done\\n\\nIt is.\\n' | sendmail -i root
"""


def run() -> NoReturn:
    """Be the program, by the name that it was called by."""
    raise SystemExit(main(sys.argv[0].rpartition("/")[2], sys.argv[1:]))


def main(name: str, arguments: Sequence[str]) -> int:
    """Do what *arguments* ask for, called as *name*; return the exit code."""
    try:
        if list(arguments[:1]) == ["--help"]:
            print(HELP, end="")
            return OK
        options = parse(arguments)
        options.mode = {"mailq": "list", "newaliases": "aliases"}.get(name, options.mode)
        return _MODES[options.mode](options)
    except Ends as end:
        print(f"{name}: {end}", file=sys.stderr)
        return end.status
    except OSError as error:
        print(f"{name}: {error}; whether the message was sent is not known: try again later", file=sys.stderr)
        return TEMPFAIL


def _send(options: Options) -> int:
    # Loaded where they are needed: list and retry are others' work.
    from mailsuite.sendmail.message import completed, ended, listed, named, qualified, split
    from mailsuite.sendmail.submitting import Dialogue, Message, connect, status_of

    recipients = listed(options.recipients)
    if not recipients and not options.by_header:
        raise Ends(USAGE, "nobody is named to send to: name recipients, or say -t for those in the message")
    if sys.stdin is None:
        raise Ends(DATAERR, "standard input, where the message should be, is closed")
    content = sys.stdin.buffer.read(MESSAGE_OCTETS + 1)
    if len(content) > MESSAGE_OCTETS:
        raise Ends(DATAERR, f"the message has more than {MESSAGE_OCTETS} octets")
    header, body = split(content if options.dots else ended(content))
    if options.by_header:
        recipients += named(header)
        if not recipients:
            raise Ends(NOUSER, "the message has no To, Cc or Bcc field with a recipient")
    with Dialogue(connect(_socket(), options.patience)) as server:
        origin = server.origin
        everybody = tuple(dict.fromkeys(qualified(each, origin) for each in recipients))
        author = _user() if options.sender is None else options.sender
        sender = qualified(author, origin) if author else ""
        whole = completed(header, sender or f"MAILER-DAEMON@{origin}", options.full_name or _full_name(), origin)
        message = Message(
            sender, everybody, whole + b"\r\n" + body, options.notify, options.returned, options.envelope_id
        )
        refused = server.send(message)
    for recipient, reply in refused:
        print(f"sendmail: {recipient}: {reply.text}", file=sys.stderr)
    return status_of(refused)


def _speak(options: Options) -> int:
    from mailsuite.sendmail.submitting import connect, speak

    try:
        connection = connect(_socket(), options.patience)
    except Ends as end:
        # Who speaks SMTP waits for a greeting.
        print(f"421 4.3.2 {end}\r\n", end="", flush=True)
        raise
    with connection:
        return speak(connection)


def _aliases(options: Options) -> int:
    print("Nothing to do: aliases lie in the accounts, and hold at once (mailsuite alias).")
    return OK


def _list(options: Options) -> int:
    return _command("queue", "list")


def _retry(options: Options) -> int:
    return _command("queue", "retry", "--all")


def _command(*arguments: str) -> int:
    from click import ClickException

    from mailsuite.cli import main as command
    from mailsuite.cli.site import PLACES, NoConfiguration

    try:
        status = command(arguments, prog_name="mailsuite", standalone_mode=False)
    except NoConfiguration as error:
        # (Sendmail's -C names a file that is none of ours.)
        mend = f"say mailsuite {' '.join(arguments)} --config FILE, or have {PLACES[1]} lead to the site's"
        raise Ends(CONFIG, f"{error.what}, and no other is looked for: {mend}") from error
    except ClickException as error:
        raise Ends(CONFIG, error.format_message()) from error
    return int(status or OK)


_MODES = {"send": _send, "speak": _speak, "list": _list, "retry": _retry, "aliases": _aliases}


def _socket() -> str:
    return os.environ.get(VARIABLE) or SOCKET


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _full_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_gecos.partition(",")[0]
    except KeyError:
        return ""
