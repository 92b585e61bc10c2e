"""Sylpheed, a graphical mail program, on a screen that nobody sees."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from tests.system.fetchers import Door
from tests.system.senders import Way
from tests.system.site import Site, secret, until

# As Sylpheed numbers how TLS begins.
_IMPLICIT, _STARTTLS = 1, 2
# Where the button "Send" is in the compose window.
_SEND = ("70", "44")
_FOLDERS = ("inbox", "outbox", "draft", "queue", "trash")


class Screen:
    """An X server that shows its screen nowhere; a context manager."""

    def __init__(self) -> None:
        command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        # It chooses a number that is free, and says it when clients may come.
        self.name = f":{int(self._process.stdout.readline())}"

    def __enter__(self) -> "Screen":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Sylpheed:
    """The program of one *user*, who has all it keeps in *home*; a context manager that ends it.

    It fetches by *door* and sends by *way*; with *keep* it leaves on the server what it has fetched.
    """

    def __init__(
        self,
        screen: Screen,
        site: Site,
        user: str,
        home: Path,
        door: Door = "pop3s",
        way: Way = "submissions",
        keep: bool = True,
    ) -> None:
        self._site = site
        self._user = user
        self._home = home
        self._settings = home / "settings"
        self._mail = home / "Mail"
        self._process: subprocess.Popen[bytes] | None = None
        # It meets a running one of the same user by a socket in the folder for temporary files.
        places = {"HOME": str(home), "TMPDIR": str(home), "DISPLAY": screen.name}
        self._environment: Mapping[str, str] = {**os.environ, **places}
        self._set_up(door, way, keep)

    def __enter__(self) -> "Sylpheed":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        try:
            if kind is None:
                self._do("--exit")
                self._process.wait(15)
        finally:
            self._process.kill()
            self._process.wait(10)

    def receive(self) -> None:
        """Fetch what is new, and wait until that is over."""
        before = self._sessions()
        self._do("--receive-all")
        until(lambda: self._sessions() > before, 30, "Sylpheed to fetch")

    def send(self, to: str, subject: str, text: str) -> None:
        """Write a message and click on Send; wait until its window has gone."""
        self._do("--compose", f"mailto:{to}?subject={quote(subject)}&body={quote(text)}")
        window = until(lambda: self._windows(f"^{subject} - Compose"), 20, "the window to write in")[-1]
        until(lambda: self._sent(window), 20, "the message to be sent")

    def folder(self, name: str) -> list[bytes]:
        """Return the messages in a folder of the program, with the line ends of the wire."""
        paths = [path for path in (self._mail / name).iterdir() if path.name.isdecimal()]
        ordered = sorted(paths, key=lambda path: int(path.name))
        return [path.read_bytes().replace(b"\n", b"\r\n") for path in ordered]

    def _do(self, *options: str) -> None:
        """Start the program with *options*, or tell them to the one that runs."""
        command = ["sylpheed", "--configdir", str(self._settings), *options]
        if self._process is None:
            silent = subprocess.DEVNULL
            self._process = subprocess.Popen(command, env=self._environment, stdout=silent, stderr=silent)
        else:
            subprocess.run(command, env=self._environment, check=True, timeout=20, capture_output=True)

    def _sessions(self) -> int:
        lines = self._site.mail_log.splitlines()
        return sum(" pop3 " in line and f" login={self._user} " in line and " ended=" in line for line in lines)

    def _windows(self, name: str) -> list[str]:
        command = ["xdotool", "search", "--onlyvisible", "--name", name]
        found = subprocess.run(command, env=self._environment, check=False, capture_output=True, text=True)
        return found.stdout.split()

    def _sent(self, window: str) -> bool:
        """Click on Send; say whether that has closed the window."""
        click = ["xdotool", "mousemove", "--window", window, *_SEND, "click", "1"]
        subprocess.run(click, env=self._environment, check=False, capture_output=True)
        try:
            until(lambda: window not in self._windows("Compose"), 5)
        except AssertionError:
            return False
        return True

    def _set_up(self, door: Door, way: Way, keep: bool) -> None:
        for name in _FOLDERS:
            (self._mail / name).mkdir(parents=True, exist_ok=True)
        self._settings.mkdir(exist_ok=True)
        # Certificates that the user has accepted.
        shutil.copy(self._site.certificate, self._settings / "trust.crt")
        if not (self._settings / "sylpheedrc").exists():
            (self._settings / "sylpheedrc").write_text("[Common]\nauto_update_check=0\n")
        items = "".join(f'<folderitem type="{name}" name="{name}" path="{name}" />' for name in _FOLDERS)
        (self._settings / "folderlist.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<folderlist><folder type="mh" name="Mail" path="{self._mail}">{items}</folder></folderlist>\n'
        )
        self._write_account(door, way, keep)

    def _write_account(self, door: Door, way: Way, keep: bool) -> None:
        account: dict[str, object] = {
            "account_name": "the account",
            "is_default": 1,
            "name": "Somebody",
            "address": self._user,
            "protocol": 0,
            "receive_server": "localhost",
            "smtp_server": "localhost",
            "user_id": self._user,
            "password": secret(self._user),
            "set_popport": 1,
            "pop_port": self._site.ports[door],
            "ssl_pop": _IMPLICIT if door == "pop3s" else _STARTTLS,
            "set_smtpport": 1,
            "smtp_port": self._site.ports[way],
            "ssl_smtp": _IMPLICIT if way == "submissions" else _STARTTLS,
            "use_smtp_auth": 1,
            "remove_mail": 0 if keep else 1,
            # Days.
            "message_leave_time": 0,
            "receive_at_get_all": 1,
            "inbox": "#mh/Mail/inbox",
        }
        path = self._settings / "accountrc"
        path.write_text("[Account: 1]\n" + "".join(f"{key}={value}\n" for key, value in account.items()))
        path.chmod(0o600)
