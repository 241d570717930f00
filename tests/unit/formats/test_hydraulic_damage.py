"""Mutated and truncated networks: problems or one DataError, never anything else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimdesk.base.errors import DataError
from cimdesk.formats.hydraulic import EPANET_READER, SWMM_READER
from cimdesk.formats.registry import ReadOptions
from tests.unit.formats.test_hydraulic import EPANET, SWMM

CASES = [(EPANET_READER, EPANET.encode()), (SWMM_READER, SWMM.encode())]


def survive(reader, path, data):
    path.write_bytes(data)
    try:
        result = reader.read(path, ReadOptions())
    except DataError as error:
        if error.path != path or not error.remedy:
            raise
        return
    network = result.sources[0].data
    assert len(network.start) == len(network.links)
    assert not len(network.start) or max(network.start.max(), network.end.max()) < len(network.nodes)
    assert all(problem.message for problem in result.problems)


@pytest.mark.parametrize(("reader", "data"), CASES)
def test_a_file_cut_anywhere_loads_or_is_refused(tmp_path, reader, data):
    for end in range(0, len(data), 7):
        survive(reader, tmp_path / "cut.inp", data[:end])


@pytest.mark.parametrize(("reader", "data"), CASES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=0, max_size=8)), min_size=1, max_size=6))
def test_mutated_bytes_load_or_are_refused(tmp_path, reader, data, edits):
    mutated = bytearray(data)
    for at, piece in edits:
        at %= len(mutated) or 1
        mutated[at : at + len(piece)] = piece
    survive(reader, tmp_path / "mutated.inp", bytes(mutated))


@pytest.mark.parametrize(("reader", "data"), CASES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.randoms(use_true_random=False))
def test_shuffled_words_load_or_are_refused(tmp_path, reader, data, choice):
    lines = [line.split() for line in data.decode().splitlines()]
    for _ in range(10):
        words = choice.choice(lines)
        if words:
            words[choice.randrange(len(words))] = choice.choice(
                ["*", "-1", "nan", "inf", '"', ";", "J1", "1e400", "[", "[END", "开", "0:0"]
            )
    survive(reader, tmp_path / "words.inp", "\n".join(" ".join(words) for words in lines).encode())
