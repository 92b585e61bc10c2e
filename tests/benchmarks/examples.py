"""Results as a run of the harness gives them."""

from benchmarks.results import Results, Sample


def results(*samples: Sample) -> Results:
    """Return what a run gave that took *samples*."""
    versions = {"mailsuite": "1.0", "postfix": "3.7"}
    settings = {"mailsuite": "on disk before the 250"}
    made, facts, plan = "2026-01-02T03:04:05+00:00", {"disk": "ext4"}, {"rounds": "3"}
    return Results(made, facts, plan, versions, settings, {}, list(samples))


def rounds(case: str, peer: str, figure: str, *values: float, workload: str = "inbound") -> list[Sample]:
    """Return a sample for each round."""
    return [Sample(workload, case, peer, turn, {figure: value}) for turn, value in enumerate(values)]
