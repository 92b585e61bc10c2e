"""``make bench``: mail in and out of the suite as shipped, beside Postfix where one is installed.

Servers take turns in every round, so that a change in the machine's speed meets them all. Trust ratios and CPU per
message before messages a second.
"""

import argparse
import json
import resource
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TypeAlias

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import backlog, idle, inbound, long_queue, pop3, pop3_box, relay
from benchmarks.load import has_smtp_source, own_client, own_client_bdat, smtp_source
from benchmarks.servers import Postfix, Server, Suite, has_postfix

Run: TypeAlias = inbound.Figure | relay.Figure


def main() -> None:
    """Measure, print tables, and write the figures where ``--json`` says."""
    options = _options()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The servers inherit this.
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 20_000)), hard))
    console = Console()
    if options.only == "pop3" or options.only in pop3_box.PARTS:
        _mail_out(console, options)
        return
    with tempfile.TemporaryDirectory(prefix="mailsuite-bench-", dir=options.dir) as folder:
        sink = relay.Sink(Path(folder)) if has_smtp_source() else None
        suite = Suite(Path(folder), 0 if sink is None else sink.port)
        servers: list[Server] = [suite]
        try:
            if has_postfix():
                servers.append(Postfix(Path(folder), 25 if sink is None else sink.port))
            else:
                console.print("No Postfix beside us: it is not installed, or we are not root.")
            costs = idle.measure(suite.pid, {"SMTP": suite.smtp_port, "POP3": suite.pop3_port}, options.idle)
            through = [] if sink is None else list(_relay(servers, sink, options))
            figures = list(_inbound(servers, options))
            sessions = [pop3.measure(suite) for _ in range(options.rounds)]
            for server in servers:
                server.stop()
            servers = []
            queues = list(_queues(Path(folder), options))
            backlogs = [] if sink is None else list(_backlogs(Path(folder), sink, options))
        finally:
            for server in servers:
                server.stop()
            if sink is not None:
                sink.stop()
    for table in (_inbound_table(figures), _relay_table(through)):
        if table.row_count:
            console.print(table)
    for line in (*(line for queue in queues for line in long_queue.told(queue)), *backlog.told(backlogs)):
        console.print(line)
    for session in sessions:
        console.print(
            f"POP3, {session.messages} messages: login {session.login * 1000:.0f} ms, STAT and UIDL"
            f" {session.listing * 1000:.1f} ms, RETR {session.messages / session.retrieval:.0f}/s,"
            f" {session.cpu:.0f} us of CPU a message"
        )
    for protocol, cost in costs.items():
        console.print(f"An idle {protocol} connection costs {cost:.1f} KiB")
    if options.json:
        result = {
            "inbound": [asdict(figure) for figure in figures],
            "relay": [asdict(figure) for figure in through],
            "long_queue": [asdict(queue) for queue in queues],
            "backlog": [asdict(figure) for figure in backlogs],
            "pop3": [asdict(session) for session in sessions],
            "idle_kib": costs,
        }
        Path(options.json).write_text(json.dumps(result, indent=1))


def _mail_out(console: Console, options: argparse.Namespace) -> None:
    parts = pop3_box.PARTS if options.only == "pop3" else (options.only,)
    plan = pop3_box.Plan(parts, options.rounds, options.mailboxes, options.read)
    with tempfile.TemporaryDirectory(prefix="mailsuite-bench-", dir=options.dir) as folder:
        figures = pop3_box.measure(Path(folder), plan)
    for line in pop3_box.told(figures):
        console.print(line)
    if options.json:
        Path(options.json).write_text(json.dumps({"mail_out": [asdict(each) for each in figures]}, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--messages", type=int, default=3000, help="messages a run (default: 3000)")
    parser.add_argument("--size", type=int, default=4096, help="octets of a message that comes in (default: 4096)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which medians are shown (default: 3)")
    parser.add_argument(
        "--connections", type=int, nargs="+", default=[1, 20, 100], help="connections at a time (default: 1 20 100)"
    )
    parser.add_argument(
        "--only",
        choices=["smtp_source", "own_client", "bdat", "relay", "queue", "backlog", "pop3", *pop3_box.PARTS],
        help="mail in by one of the loads alone, mail in by DATA and by BDAT, mail through, the long queue, mail"
        " through beside a backlog, or mail out, all of it or one part",
    )
    parser.add_argument(
        "--mailboxes", type=int, nargs="+", default=[50_000], help="messages of mailboxes to open (default: 50000)"
    )
    parser.add_argument(
        "--read", type=int, nargs="+", default=[5000, 50_000], help="messages to be read (default: 5000 50000)"
    )
    parser.add_argument(
        "--queued", type=int, default=1_000_000, help="recipients in the long queue (default: 1000000)"
    )
    parser.add_argument(
        "--backlog", type=int, default=100_000, help="recipients for the host that is dead (default: 100000)"
    )
    parser.add_argument("--idle", type=int, default=2000, help="idle connections (default: 2000)")
    parser.add_argument("--dir", help="a folder on the disk to be measured (default: the temporary folder)")
    parser.add_argument("--json", help="write the figures to this file")
    return parser.parse_args()


def _inbound(servers: list[Server], options: argparse.Namespace) -> Iterable[inbound.Figure]:
    loads: list[inbound.Load] = [smtp_source, own_client] if has_smtp_source() else [own_client]
    if options.only == "bdat":
        loads = [own_client, own_client_bdat]
    plan = [
        (load, connections, reuse, server)
        for _ in range(options.rounds)
        for load in loads
        if options.only in (None, "bdat", load.__name__)
        for connections in options.connections
        for reuse in (False, True)
        for server in servers
    ]
    for load, connections, reuse, server in track(plan, "mail in"):
        # One connection at a time is slow and needs fewer messages to be steady.
        messages = options.messages if connections > 1 else options.messages // 4
        yield inbound.measure(server, load, messages, connections, reuse, options.size)


def _relay(servers: list[Server], sink: relay.Sink, options: argparse.Namespace) -> Iterable[relay.Figure]:
    plan = [
        (connections, server)
        for _ in range(options.rounds)
        if options.only in (None, "relay")
        for connections in options.connections
        for server in servers
    ]
    for connections, server in track(plan, "mail through"):
        messages = options.messages if connections > 1 else options.messages // 4
        yield relay.measure(server, sink, messages, connections)


def _queues(folder: Path, options: argparse.Namespace) -> Iterable[long_queue.Figure]:
    if options.only in (None, "queue"):
        yield long_queue.measure(folder, options.queued, max(1, options.queued // 100))


def _backlogs(folder: Path, sink: relay.Sink, options: argparse.Namespace) -> Iterable[backlog.Figure]:
    if options.only in (None, "backlog"):
        yield from backlog.measure(folder, sink, options.backlog, options.rounds)


def _relay_table(figures: list[relay.Figure]) -> Table:
    table = Table("through, conn.", "server", "msgs/s", "CPU us", "rate x", "CPU x")
    runs: dict[int, dict[str, list[relay.Figure]]] = {}
    for figure in figures:
        runs.setdefault(figure.connections, {}).setdefault(figure.server, []).append(figure)
    for connections, by_server in runs.items():
        ours = by_server["mailsuite"]
        for server, rounds in by_server.items():
            table.add_row(str(connections), server, *_medians(ours, rounds))
    return table


def _inbound_table(figures: list[inbound.Figure]) -> Table:
    table = Table("load", "conn.", "kind", "server", "msgs/s", "CPU us", "rate x", "CPU x")
    table.caption = "CPU us: of the server's processes, a message. rate x, CPU x: ours to theirs, medians of rounds."
    runs: dict[tuple[str, int, bool], dict[str, list[inbound.Figure]]] = {}
    for figure in figures:
        key = (figure.load, figure.connections, figure.reuse)
        runs.setdefault(key, {}).setdefault(figure.server, []).append(figure)
    for (load, connections, reuse), by_server in runs.items():
        ours = by_server["mailsuite"]
        for server, rounds in by_server.items():
            table.add_row(load, str(connections), "reused" if reuse else "new", server, *_medians(ours, rounds))
    return table


def _medians(ours: Sequence[Run], rounds: Sequence[Run]) -> tuple[str, str, str, str]:
    """Return rate and CPU of *rounds*, and what is *ours* to theirs, where these are another server's."""
    ratios = ("", "")
    if ours is not rounds:
        pairs = list(zip(ours, rounds, strict=True))
        ratios = (
            f"{median(us.rate / them.rate for us, them in pairs):.2f}",
            f"{median(us.cpu / them.cpu for us, them in pairs):.2f}",
        )
    return (f"{median(run.rate for run in rounds):.0f}", f"{median(run.cpu for run in rounds):.0f}", *ratios)


if __name__ == "__main__":
    main()
