"""Positions within cycles."""

import pytest

from scople.methods.method import Progress
from scople.methods.schedules import in_cycle


def at(step: int, steps: int) -> Progress:
    return Progress(step, steps, epoch=0, epochs=1)


def test_steps_of_a_published_cycle_are_counted_exactly():
    for step in range(19000):
        assert in_cycle(at(step, 19000), 10, 1900) == divmod(step, 1900)


@pytest.mark.parametrize("steps", [38, 190, 191, 3803])
def test_other_cycles_are_stretched(steps):
    places = [in_cycle(at(step, steps), 10, 1900) for step in range(steps)]
    assert places[0] == (0, 0)
    assert places == sorted(places)
    assert {cycle for cycle, _ in places} == set(range(10))
    assert all(0 <= place < 1900 for _, place in places)
    for step, (cycle, place) in enumerate(places):
        assert cycle + place / 1900 == pytest.approx(10 * step / steps)
