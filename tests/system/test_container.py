"""etc/Containerfile: what it runs is run as it is written, in plain folders: podman need not be where tests run."""

import json
import os
import re
import shlex
import shutil
import signal
import smtplib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands import DOCUMENTS
from tests.system.ports import free_ports
from tests.system.programs import found, root_only, run
from tests.system.site import BIN, until

pytestmark = pytest.mark.system

FILE = DOCUMENTS / "etc" / "Containerfile"
TEXT = FILE.read_text()
PORTS = ("2525", "2587", "2465", "2110", "2995")
# Whom it runs as here, in the place of mailsuite.
USER = "nobody"


def instructions(name: str) -> list[str]:
    """Return the arguments of each instruction *name*, without options; lines that go on are joined."""
    lines = TEXT.replace("\\\n", " ").splitlines()
    return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


def making() -> list[str]:
    """Return the arguments of the command by which the comment at the head makes a site."""
    (arguments,) = re.findall(r"^# +mailsuite (init .+)$", TEXT, re.MULTILINE)
    return shlex.split(arguments)


@contextmanager
def serving(bin_: Path, user: str | None) -> Iterator[tuple[Path, list[str]]]:
    """Make a site as the comment says, serve it by CMD; give its log, and the health check for its ports."""
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    with tempfile.TemporaryDirectory(prefix="mailsuite-container-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        site = place / "mail"
        site.mkdir()
        if user is not None:
            shutil.chown(site, user)

        def moved(words: Sequence[str]) -> list[str]:
            text = "\0".join(words).replace("/srv/mail", str(site))
            for port, ours in ports.items():
                text = text.replace(port, ours)
            return text.split("\0")

        run([bin_ / "mailsuite", *moved(making())], user=user)
        config = site / "mailsuite.toml"
        config.write_text(moved([config.read_text()])[0])
        (command,) = instructions("CMD")
        (health,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", TEXT, re.MULTILINE)
        program, *arguments = json.loads(command)
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [bin_ / program, *moved(arguments)], stdout=log, stderr=log, user=user,
                extra_groups=None if user is None else [], cwd=site,
            )  # fmt: skip
        try:
            until(lambda: b" serves " in (place / "log").read_bytes() or process.poll() is not None, 30, "the start")
            assert process.poll() is None, (place / "log").read_text()
            yield site, moved(json.loads(health))
            process.terminate()
            assert process.wait(30) in (0, -signal.SIGTERM)
            run(moved(json.loads(health)), status=1)
        finally:
            process.kill()
            process.wait(30)


def test_what_it_runs() -> None:
    """The site is made and served as it says; the health check knows whether it is."""
    with serving(BIN, None) as (site, health):
        run(health)
        assert (site / "accounts.sqlite").exists()


def test_it_is_nobody_special() -> None:
    """It has no root, and publishes what a site without root listens on; what is copied is there."""
    assert instructions("USER") == ["mailsuite"]
    (volume,) = instructions("VOLUME")
    assert volume == instructions("WORKDIR")[0] == "/srv/mail"
    assert tuple(instructions("EXPOSE")[0].split()) == PORTS
    assert set(re.findall(r"--publish \d+:(\d+)", TEXT)) == set(PORTS)
    for line in instructions("COPY"):
        *sources, _ = line.split()
        assert all((DOCUMENTS / source).exists() for source in sources if not source.startswith(("--", "/")))


@root_only
@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no Python that all users may run")
def test_it_is_built_and_served() -> None:
    """Its own RUN lines make the program, in a folder of the test's own; another user serves by it."""
    with tempfile.TemporaryDirectory(prefix="mailsuite-image-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        for line in instructions("COPY"):
            *sources, target = line.split()
            if sources[0].startswith("--"):
                break
            for source in sources:
                within = place / target.strip("/") / (source if target.endswith("/") else "")
                if (DOCUMENTS / source).is_dir():
                    shutil.copytree(DOCUMENTS / source, within, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    within.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(DOCUMENTS / source, within)
        for line in instructions("RUN"):
            if line.startswith(("python3 ", "/opt/")):
                words = [re.sub(r"^/(?=opt/|src)", f"{place}/", word) for word in shlex.split(line)]
                run(["/usr/bin/python3" if word == "python3" else word for word in words], seconds=600)
        with serving(place / "opt/mailsuite/bin", USER) as (site, health):
            run(health)
            port = int(health[-1].split(",")[1])
            with smtplib.SMTP("127.0.0.1", port) as session:
                session.sendmail("a@client.example", "postmaster@example.org", "Subject: x\r\n\r\n")
            assert list((site / "mail/example.org/postmaster/new").iterdir())


# Either may be installed and not work: without its daemon, or within a container itself.
MAKERS = {"podman": "podman", "docker": "docker.io"}


def working() -> tuple[str | None, str]:
    """Return the program that makes containers here, podman or else docker; or none, and why."""
    reasons = []
    for program, package in MAKERS.items():
        if found(program) is None:
            reasons.append(f"not installed: {program} (Debian package {package})")
            continue
        try:
            told = run([program, "info"], status=None, seconds=30)
        except subprocess.TimeoutExpired:
            reasons.append(f"{program} info does not end")
            continue
        if told.returncode == 0:
            return program, ""
        reasons.append(f"{program} info fails: {(told.stderr or told.stdout).decode(errors='replace').strip()[-200:]}")
    return None, "; ".join(reasons)


@pytest.mark.parametrize(
    ("programs", "chosen", "reason"),
    [
        ({"podman": 0, "docker": 0}, "podman", ""),
        ({"docker": 0}, "docker", ""),
        ({"podman": 125, "docker": 0}, "docker", ""),
        ({"docker": 1}, None, "not installed: podman (Debian package podman); docker info fails: no daemon"),
    ],
)
def test_which_program_makes_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: dict[str, int], chosen: str | None, reason: str
) -> None:
    """The first that works; where none does, each says why."""
    for name, status in programs.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n[ $1 = info ] && echo no daemon >&2\nexit {status}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert working() == (chosen, reason)


@pytest.mark.slow
def test_the_image() -> None:
    """The real thing, where there is one, and the network that it needs."""
    program, reason = working()
    if program is None:
        pytest.skip(reason)
    run([program, "build", "--tag", "mailsuite-test", "--file", FILE, DOCUMENTS], seconds=900)
    shown = run([program, "run", "--rm", "mailsuite-test", "mailsuite", "--version"], seconds=120)
    assert b"mailsuite" in shown.stdout
