"""As much of Mozilla's remote protocol, Marionette, as runs scripts inside a program of theirs.

A packet is its length in decimal, a colon, and JSON: ``[0, id, command, parameters]`` to the program and
``[1, id, error, result]`` back.
"""

import itertools
import json
import socket
from typing import Any


class ScriptFailed(Exception):
    """What the program said instead of a result."""


class Marionette:
    """A session with the program that listens on *port* of loopback; scripts have all its powers (chrome)."""

    def __init__(self, port: int, seconds: float = 60) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), seconds)
        self._file = self._socket.makefile("rb")
        self._numbers = itertools.count(1)
        # It greets with its name and the version of the protocol.
        greeting = self._packet()
        assert greeting["marionetteProtocol"] == 3, greeting
        self._ask("WebDriver:NewSession", {})
        self._ask("WebDriver:SetTimeouts", {"script": int(seconds * 1000)})
        self._ask("Marionette:SetContext", {"value": "chrome"})

    def close(self) -> None:
        """End the session; the program goes on."""
        self._file.close()
        self._socket.close()

    def run(self, script: str, *arguments: object) -> Any:
        """Return what *script*, the body of an asynchronous function of *arguments*, returns."""
        whole = (
            "const [...given] = arguments; const done = given.pop();"
            f"(async function() {{ {script} }}).apply(null, given)"
            ".then(value => done([true, value ?? null]), error => done([false, String(error)]));"
        )
        parameters = {"script": whole, "args": arguments, "newSandbox": True, "sandbox": "system"}
        good, value = self._ask("WebDriver:ExecuteAsyncScript", parameters)["value"]
        if not good:
            raise ScriptFailed(value)
        return value

    def quit(self) -> None:
        """Let the program end in good order."""
        self._ask("Marionette:Quit", {"flags": ["eForceQuit"]})

    def _ask(self, command: str, parameters: object) -> Any:
        number = next(self._numbers)
        text = json.dumps([0, number, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        _, answered, error, result = self._packet()
        assert answered == number
        if error is not None:
            raise ScriptFailed(f"{error['error']}: {error['message']}")
        return result

    def _packet(self) -> Any:
        digits = b""
        while (octet := self._file.read(1)) != b":":
            if not octet:
                raise EOFError("the program has ended")
            digits += octet
        return json.loads(self._file.read(int(digits)))
