"""The options of sendmail, as programs have given them for decades: each one is taken, some mean nothing here."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mailsuite.sendmail.exit_codes import USAGE, Ends

# Those that take a value: behind the letter, or as the next argument. -q and -d have one only behind the letter.
_WITH_VALUE = frozenset("ABCDFLMNORVXbefhopr")
_ATTACHED = frozenset("dqQ")
_ALONE = frozenset("GIUcimnstvx")
# What -b asks for.
MODES = {"m": "send", "s": "speak", "p": "list", "i": "aliases"}
_ELSEWHERE = {
    "d": "the server is started by twistd or systemd", "D": "the server is started by twistd or systemd",
    "v": "addresses are looked up by mailsuite alias and mailsuite user",
    "t": "there are no rules to try", "h": "mailsuite queue list --summary tells about hosts",
    "H": "mailsuite queue list --summary tells about hosts",
}  # fmt: skip
_NOTIFY = frozenset({"NEVER", "SUCCESS", "FAILURE", "DELAY"})
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
# For how many seconds a server that is just being restarted is waited for.
PATIENCE = 10.0


@dataclass(slots=True)
class Options:
    """What the caller wants. *mode* is ``send``, ``speak`` (SMTP), ``list``, ``retry`` or ``aliases``.

    *sender* is the reverse-path, ``None`` where it is to be the user's own; empty for the null path. *by_header*: the
    fields of the message name recipients, too. *dots*: a line with a lone dot is text, and does not end the message.
    """

    mode: str = "send"
    sender: str | None = None
    full_name: str = ""
    by_header: bool = False
    dots: bool = False
    notify: str = ""
    returned: str = ""
    envelope_id: str = ""
    patience: float = PATIENCE
    recipients: list[str] = field(default_factory=list)


def parse(arguments: Sequence[str]) -> Options:
    """Return what *arguments* say. Raises `Ends`."""
    options = Options()
    for letter, value in _split(arguments, options.recipients):
        _set(options, letter, value)
    return options


def _split(arguments: Sequence[str], recipients: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each option and its value; what is no option is a recipient, wherever it stands."""
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            recipients.extend(left)
        elif argument.startswith("--"):
            raise Ends(USAGE, f"there is no option {argument}; mailsuite sendmail --help shows those that there are")
        elif argument.startswith("-") and len(argument) > 1:
            yield from _cluster(argument[1:], left)
        else:
            recipients.append(argument)


def _cluster(letters: str, left: Iterator[str]) -> Iterator[tuple[str, str]]:
    for index, letter in enumerate(letters):
        rest = letters[index + 1 :]
        if letter in _ATTACHED:
            yield letter, rest
            return
        if letter in _WITH_VALUE:
            value = rest or next(left, None)
            if value is None:
                raise Ends(USAGE, f"the option -{letter} needs a value")
            yield letter, value
            return
        if letter not in _ALONE:
            raise Ends(USAGE, f"there is no option -{letter}; mailsuite sendmail --help shows those that there are")
        yield letter, ""


def _set(options: Options, letter: str, value: str) -> None:
    if letter == "t":
        options.by_header = True
    elif letter == "i" or (letter == "o" and value.startswith("i")):
        options.dots = True
    elif letter in "fr":
        options.sender = value.removeprefix("<").removesuffix(">")
    elif letter == "F":
        options.full_name = value
    elif letter == "N":
        options.notify = _notify(value.upper())
    elif letter == "R":
        options.returned = _one_of(letter, value.upper(), {"FULL": "FULL", "HDRS": "HDRS"})
    elif letter == "V":
        options.envelope_id = value
    elif letter == "O":
        _set_long(options, value)
    elif letter == "I":
        options.mode = "aliases"
    elif letter == "q":
        options.mode = "retry"
    elif letter == "b":
        if value in _ELSEWHERE:
            raise Ends(USAGE, f"-b{value} is not served here: {_ELSEWHERE[value]}")
        options.mode = _one_of(letter, value, MODES)


def _set_long(options: Options, value: str) -> None:
    name, _, said = value.partition("=")
    if name.strip().lower() == "timeout.connect":
        found = re.fullmatch(r"\s*(\d{1,6})([smh]?)\s*", said)
        if found is None:
            raise Ends(USAGE, f"-O {name}: expected a time such as 30s, got {said!r}")
        options.patience = float(found[1]) * _SECONDS[found[2]]


def _notify(value: str) -> str:
    wanted = value.split(",")
    if not _NOTIFY.issuperset(wanted) or ("NEVER" in wanted and len(wanted) > 1):
        raise Ends(USAGE, f"-N: expected never, or of success, failure and delay a list, got {value!r}")
    return value


def _one_of(letter: str, value: str, known: dict[str, str]) -> str:
    if value not in known:
        raise Ends(USAGE, f"-{letter}: expected one of {', '.join(known)}, got {value!r}")
    return known[value]
