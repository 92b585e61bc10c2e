"""A short look in each normal run: the corpus, and inputs made of its parts. ``make fuzz`` looks long."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailsuite.discover import parts
from tests.fuzz import targets
from tests.fuzz.target import CORPUS, FIRST, Target

TARGETS: tuple[Target, ...] = parts(targets)
EXAMPLES = 150
every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Return inputs of tokens and octets, and of the corpus with changes in it."""
    heads = st.binary(max_size=3) | st.lists(st.integers(FIRST, FIRST + 20), min_size=2, max_size=3).map(bytes)
    piece = st.sampled_from(target.tokens()) | st.binary(max_size=4)
    made = st.tuples(heads, st.lists(piece, max_size=30).map(b"".join)).map(b"".join)
    change = st.tuples(st.integers(0, 2000), st.integers(0, 40), piece)
    changed = st.tuples(st.sampled_from(list(target.inputs())), st.lists(change, max_size=6))
    return made | changed.map(lambda each: _changed(*each))


def _changed(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Return *data* with octets taken out, and others put in, at each place."""
    for place, length, new in changes:
        start = place % (len(data) + 1)
        data = data[:start] + new + data[start + length :]
    return data


@every_target
def test_the_corpus(target: Target) -> None:
    """What has once been of interest stays right."""
    for data in target.inputs():
        target.run(data)


@every_target
def test_made_inputs(target: Target) -> None:
    """Anything at all keeps every promise."""

    @settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
    @given(inputs(target))
    def fuzz(data: bytes) -> None:
        target.run(data)

    fuzz()


def test_every_corpus_belongs_to_a_target() -> None:
    """And each target has one of its own."""
    assert sorted(path.name for path in CORPUS.iterdir() if path.is_dir()) == sorted(target.name for target in TARGETS)
    assert all(any(target.folder.iterdir()) for target in TARGETS)
