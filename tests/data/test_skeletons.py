"""Which bodies are the persons, and where they stand: against plain loops, and against known faults."""

import numpy as np
import pytest
import raw_files
import reference_parser

from scople.data.samples import BadMember
from scople.data.skeletons import choose_by_energy, choose_by_track, normalise, resample
from scople.formats.ntu import parse_skeleton


def recording(frames):
    return parse_skeleton(raw_files.skeleton_text(frames))


def read(frames):
    return reference_parser.read_frames(raw_files.skeleton_text(frames).decode())


def tracked(length: int, *tracks: tuple[int, int, np.ndarray]) -> list[list[raw_files.Body]]:
    """Frames from tracks: id, first frame, joints; in a frame the bodies stand in the order of the tracks."""
    frames = [[] for _ in range(length)]
    for body_id, start, joints in tracks:
        for t, pose in enumerate(joints, start):
            frames[t].append((body_id, pose))
    return frames


# Energy choice


@pytest.mark.parametrize("seed", range(7))
def test_energy_choice_agrees_with_plain_loops(seed):
    generator = np.random.default_rng(seed)
    tracks = [raw_files.walk(generator, 13, speed=generator.random() / 5) for _ in range(6)]
    frames = [[(i, track[t]) for i, track in enumerate(tracks) if generator.random() < 0.4] for t in range(13)]
    expected = reference_parser.choose_by_energy(read(frames))
    np.testing.assert_array_equal(choose_by_energy(recording(frames)), expected.astype(np.float32))


def test_energy_choice_goes_by_slot_and_puts_the_livelier_first():
    generator = np.random.default_rng(1)
    calm, lively = raw_files.walk(generator, 17, speed=0.001), raw_files.walk(generator, 17, speed=0.5)
    sequence = choose_by_energy(recording([[(7, calm[t]), (3 if t < 5 else 4, lively[t])] for t in range(17)]))
    np.testing.assert_array_equal(sequence, np.stack([lively, calm]).astype(np.float32))


def test_the_fifth_body_of_a_frame_is_not_looked_at():
    generator = np.random.default_rng(1)
    calm, lively = raw_files.walk(generator, 7, speed=0.001), raw_files.walk(generator, 7, speed=0.5)
    sequence = choose_by_energy(recording([[*[(i, calm[t]) for i in range(4)], (4, lively[t])] for t in range(7)]))
    np.testing.assert_array_equal(sequence, np.stack([calm, calm]).astype(np.float32))


def test_one_body_is_one_person_and_empty_frames_stay():
    pose = raw_files.walk(np.random.default_rng(1), 2)
    sequence = choose_by_energy(recording([[], [(7, pose[0])], [], [(7, pose[1])], []]))
    assert sequence.shape == (1, 5, 25, 3)
    assert sequence.any(axis=(0, 2, 3)).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("choose", [choose_by_energy, choose_by_track])
@pytest.mark.parametrize("frames", [[], [[], []], [[(7, np.zeros((25, 3)))]]], ids=["no frame", "no body", "zeros"])
def test_a_recording_without_any_body_is_refused(choose, frames):
    with pytest.raises(BadMember, match="no frame has a body"):
        choose(recording(frames))


@pytest.mark.parametrize("choose", [choose_by_energy, choose_by_track])
def test_axes_are_person_time_joint_coordinate(choose):
    """The published loaders have mixed these up in reshapes: each number here says where it belongs."""

    def tagged(person, t):
        return [[person * 50 + t + joint / 100 + axis / 1000 for axis in range(3)] for joint in range(25)]

    frames = [[(7, np.array(tagged(1, t))), (9, np.array(tagged(0, t)))] for t in range(13)]
    # Taller than wide, and the first the livelier, so that both choices keep both.
    for bodies in frames:
        for _, joints in bodies:
            joints[0, 1] -= 40
    expected = np.array([[joints for _, joints in bodies] for bodies in frames]).swapaxes(0, 1).astype(np.float32)
    sequence = choose(recording(frames))
    assert sequence.shape == (2, 13, 25, 3)
    np.testing.assert_allclose(sequence[np.argsort(-sequence[:, 0, 1, 0])], expected, atol=1e-6)


# Choice by track


@pytest.mark.parametrize("seed", range(23))
def test_track_choice_agrees_with_plain_loops_where_no_track_has_a_gap(seed):
    generator = np.random.default_rng(seed)
    tracks = []
    for body_id in range(5):
        joints = raw_files.walk(generator, int(generator.integers(5, 31)), speed=generator.random() / 5)
        wide = generator.random(len(joints)) < generator.choice([0.0, 0.3, 0.9])
        joints[wide] = joints[wide] @ np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])  # lying down
        tracks.append((raw_files.FIRST_ID + body_id, int(generator.integers(0, 61)), joints))
    frames = [bodies for bodies in tracked(97, *tracks) if bodies]  # the published code drops empty frames first
    # Dropping frames must not have torn a track apart.
    expected = reference_parser.choose_by_track(read(frames))
    np.testing.assert_array_equal(choose_by_track(recording(frames)), expected.astype(np.float32))


def test_a_gap_in_a_track_does_not_shift_what_follows():
    generator = np.random.default_rng(2)
    steady, broken = raw_files.walk(generator, 41), raw_files.walk(generator, 41, speed=0.5)
    frames = [[(7, steady[t])] + ([(9, broken[t])] if not 13 <= t < 19 else []) for t in range(41)]
    sequence = choose_by_track(recording(frames))
    seen = np.r_[0:13, 19:41]
    np.testing.assert_array_equal(sequence[0, seen], broken[seen].astype(np.float32))
    assert not sequence[0, 13:19].any()
    np.testing.assert_array_equal(sequence[1], steady.astype(np.float32))


def test_a_single_actor_is_not_copied_into_the_second_place():
    frames = raw_files.one_body(np.random.default_rng(3), 17)
    sequence = choose_by_track(recording(frames))
    assert sequence.shape[0] == 1
    assert not normalise(sequence, 17)[..., 1].any()


@pytest.mark.parametrize(("length", "persons"), [(11, 1), (12, 2)])
def test_an_id_of_eleven_frames_is_noise(length, persons):
    generator = np.random.default_rng(4)
    frames = tracked(29, (7, 0, raw_files.walk(generator, 29)), (9, 5, raw_files.walk(generator, length)))
    assert len(choose_by_track(recording(frames))) == persons


def test_of_short_ids_only_the_longest_stays():
    generator = np.random.default_rng(4)
    longest = raw_files.walk(generator, 7)
    sequence = choose_by_track(recording(tracked(12, (7, 0, raw_files.walk(generator, 5)), (9, 5, longest))))
    np.testing.assert_array_equal(sequence, longest[None].astype(np.float32))


def squat(length: int, width: float) -> np.ndarray:
    """A still body, one metre tall and `width` wide."""
    pose = np.zeros((25, 3))
    pose[3, 1], pose[8, 0] = 1, width
    return np.tile(pose, (length, 1, 1))


@pytest.mark.parametrize(("width", "persons"), [(0.79, 2), (0.81, 1)])
def test_a_track_wider_than_tall_is_noise(width, persons):
    frames = tracked(13, (7, 0, raw_files.walk(np.random.default_rng(4), 13)), (9, 0, squat(13, width)))
    assert len(choose_by_track(recording(frames))) == persons


def test_of_wide_tracks_the_last_one_stays():
    frames = tracked(13, (7, 0, squat(13, 2)), (9, 0, squat(13, 3)))
    np.testing.assert_array_equal(choose_by_track(recording(frames)), squat(13, 3)[None].astype(np.float32))


def test_tracks_that_do_not_meet_make_one_actor():
    generator = np.random.default_rng(5)
    first, second = raw_files.walk(generator, 13), raw_files.walk(generator, 17)
    sequence = choose_by_track(recording(tracked(37, (7, 2, first), (9, 19, second))))
    # Frames 15 to 18 show nobody and are cut.
    np.testing.assert_array_equal(sequence, np.concatenate([first, second])[None].astype(np.float32))


def test_an_id_twice_in_one_frame_is_refused():
    pose = raw_files.walk(np.random.default_rng(1), 2)
    with pytest.raises(BadMember, match="body id 7 occurs twice"):
        choose_by_track(recording([[(7, pose[0]), (7, pose[1])]]))


# Normalisation


def persons_with_gaps(seed: int) -> np.ndarray:
    """One or two persons of 19 frames, absent at the start, in between and at the end."""
    generator = np.random.default_rng(seed)
    persons = np.stack([raw_files.walk(generator, 19) for _ in range(1 + seed % 2)])
    is_seen = generator.random(persons.shape[:2]) < 0.7
    is_seen[0, seed % 5] = True
    return (persons * is_seen[..., None, None]).astype(np.float32)


@pytest.mark.parametrize("seed", range(11))
@pytest.mark.parametrize("frames", [19, 23, 97])
def test_normalise_agrees_with_plain_loops(seed, frames):
    sequence = persons_with_gaps(seed)
    padded = np.concatenate([sequence, np.zeros_like(sequence)])[:2]
    np.testing.assert_allclose(normalise(sequence, frames), reference_parser.normalise(padded, frames), atol=2e-6)


def test_normalise_puts_spine_up_and_shoulders_along_x_at_the_origin():
    sequence = raw_files.walk(np.random.default_rng(6), 5)[None].astype(np.float32)
    x, y, z = normalise(sequence, 7)[:, 0, :, 0]
    np.testing.assert_allclose([x[1], y[1], z[1]], 0, atol=1e-7)
    np.testing.assert_allclose([y[8] - y[4], z[8] - z[4]], 0, atol=1e-6)
    assert x[8] > x[4]
    lengths = np.linalg.norm(sequence[0, 0] - sequence[0, 0, 1], axis=-1)
    np.testing.assert_allclose(np.sqrt(x**2 + y**2 + z**2), lengths, atol=1e-6)


def test_normalise_leaves_a_body_without_direction_unturned():
    pose = np.full((1, 1, 25, 3), 0.5, np.float32)
    pose[0, 0, 3] = [0.75, 0.5, 0.5]
    result = normalise(pose, 1)[:, 0, :, 0]
    np.testing.assert_array_equal(result[:, 3], [0.25, 0, 0])
    np.testing.assert_array_equal(np.delete(result, 3, axis=1), 0)


def test_normalise_resamples_what_is_too_long():
    sequence = raw_files.walk(np.random.default_rng(7), 31)[None].astype(np.float32)
    np.testing.assert_array_equal(normalise(sequence, 11), normalise(sequence[:, ::3], 11))


def test_resample_is_linear_and_does_not_mix_a_person_with_its_absence():
    values = np.array([1, 3, 5, 0, 0, 7, 9], np.float32)
    sequence = np.broadcast_to(values[None, :, None, None], (1, 7, 25, 3))
    found = resample(sequence, 13)[0, :, 0, 0]
    # The halves between 5 and 0 and between 0 and 7 take the even neighbour.
    np.testing.assert_array_equal(found, [1, 2, 3, 4, 5, 5, 0, 0, 0, 0, 7, 8, 9])
