"""``read_samples`` on real event files."""

from __future__ import annotations

import itertools
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tb_gradascent import GradAscentHook, read_samples
from tb_gradascent.format import metadata
from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.record import seal
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.samples import Sample
from tb_gradascent.format.status import Notice, Status
from testing.event_files import VERSION1, frame_ends
from testing.synthetic import DIGITS, make_captures, make_event, make_sample, write_session


def addresses(samples: Iterator[Sample]) -> list[tuple[str, str, int, int]]:
    return [(sample.run, sample.tag, sample.step, sample.index) for sample in samples]


def test_samples_come_back_in_order_with_the_sessions_constants(tmp_path: Path) -> None:
    captures = make_captures(3, 2)
    write_session(tmp_path / "run", captures, start=1_700_000_000.0)
    back = list(read_samples(tmp_path))
    assert [(sample.step, sample.index) for sample in back] == [
        (step, index) for step in (0, 100, 200) for index in (0, 1)
    ]
    for sample, wanted in zip(back, itertools.chain(*captures), strict=True):
        assert (sample.run, sample.tag, sample.id) == ("run", "confused", wanted.id)
        assert sample.wall_time == 1_700_000_000.0 + sample.step / 100
        assert (sample.mean, sample.std) == (DIGITS.mean, DIGITS.std)
        assert sample.class_names == DIGITS.class_names
        np.testing.assert_array_equal(sample.image, wanted.image)
        assert len(sample.targets) == 2
        for target, original in zip(sample.targets, wanted.targets, strict=True):
            assert target.flip == original.flip
            largest = np.abs(original.gradient).max()
            assert np.abs(target.gradient - original.gradient).max() <= largest / 2048


def test_runs_are_named_as_tensorboard_names_them(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "b", tmp_path / "a" / "c"):
        write_session(directory, make_captures(1, 1))
    assert [run for run, *_ in addresses(read_samples(tmp_path))] == [".", "a/c", "b"]
    assert [run for run, *_ in addresses(read_samples(str(tmp_path), run="."))] == ["."]
    assert [run for run, *_ in addresses(read_samples(tmp_path, run="a/c"))] == ["a/c"]


def test_filters_pick_by_run_tag_and_step(tmp_path: Path) -> None:
    for run in ("a", "b"):
        for tag in ("t/one", "two"):
            write_session(tmp_path / run, make_captures(3, 1), tag=tag)
    assert len(addresses(read_samples(tmp_path))) == 12
    picked = addresses(read_samples(tmp_path, run="b", tag="t/one", step=100))
    assert picked == [("b", "t/one", 100, 0)]
    assert addresses(read_samples(tmp_path, step=np.int64(50))) == []


def test_steps_that_a_restart_repeated_come_once(tmp_path: Path) -> None:
    write_session(tmp_path, make_captures(4, 1, seed=1), start=1000.0)
    write_session(tmp_path, make_captures(5, 1, seed=2)[2:], start=2000.0)
    back = list(read_samples(tmp_path))
    assert [sample.step for sample in back] == [0, 100, 200, 300, 400]
    assert [sample.wall_time >= 2000 for sample in back] == [False, False, True, True, True]


def test_the_ranks_of_one_job_interleave(tmp_path: Path) -> None:
    for rank in range(3):
        write_session(tmp_path, make_captures(3, 2, seed=rank), start=1000.0 + rank / 10)
    back = list(read_samples(tmp_path))
    assert [sample.step for sample in back] == [0] * 6 + [100] * 6 + [200] * 6


def test_captures_are_read_only_when_they_are_needed(tmp_path: Path) -> None:
    session = write_session(tmp_path, make_captures(3, 1))
    samples = read_samples(tmp_path)
    assert next(samples).step == 0
    (tmp_path / file_name(session)).unlink()
    with pytest.raises(FileNotFoundError):
        list(samples)


def test_damage_loses_only_what_was_damaged_and_warns_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = write_session(tmp_path, make_captures(4, 2))
    path = tmp_path / file_name(session)
    whole = bytearray(path.read_bytes())
    whole[frame_ends(bytes(whole))[1] + 200] ^= 1  # inside the second capture
    path.write_bytes(whole)
    with caplog.at_level(logging.WARNING):
        steps = [sample.step for sample in read_samples(tmp_path)]
    assert steps == [0, 0, 200, 200, 300, 300]
    assert [record.getMessage() for record in caplog.records] == [
        "1 damaged records or payloads were skipped"
    ]


def test_a_payload_of_another_sample_counts_as_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (one, two), (three,) = make_captures(1, 2)[0], make_captures(1, 1, seed=7)[0]
    (first, _), second = encode_sample(one), encode_sample(two)
    _, other = encode_sample(three)
    file = EventFile(tmp_path / file_name("s"))
    file.append(make_event("confused", "s", 0, [(first, other), second], DIGITS, 1.0))
    file.append(make_event("confused", "s", 1, [], DIGITS, 2.0))
    file.close()
    assert [sample.index for sample in read_samples(tmp_path)] == [1]
    assert len(caplog.records) == 1


def test_a_record_of_a_newer_version_counts_as_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (record, payload), readable = (encode_sample(each) for each in make_captures(1, 2)[0])
    fields = {**parse_record(record), "version": metadata.RECORD_VERSION + 1}
    newer = seal(json.dumps(fields).encode())
    file = EventFile(tmp_path / file_name("s"))
    file.append(make_event("confused", "s", 0, [(newer, payload), readable], DIGITS, 1.0))
    file.close()
    assert [sample.index for sample in read_samples(tmp_path)] == [1]
    assert [each.getMessage()[:2] for each in caplog.records] == ["1 "]


def test_of_two_captures_with_one_number_only_the_first_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = EventFile(tmp_path / file_name("s"))
    for number, sample in enumerate(make_captures(1, 2)[0]):
        file.append(make_event("confused", "s", 0, [encode_sample(sample)], DIGITS, 1.0 + number))
    file.close()
    assert [sample.id for sample in read_samples(tmp_path)] == ["train/0-0"]
    assert not caplog.records


def test_a_record_whose_payload_is_missing_counts_as_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    event = make_event("confused", "s", 0, [encode_sample(make_captures(1, 1)[0][0])], DIGITS, 1.0)
    del event.summary.value[0]
    file = EventFile(tmp_path / file_name("s"))
    file.append(event)
    file.close()
    assert list(read_samples(tmp_path)) == []
    assert len(caplog.records) == 1


@pytest.mark.parametrize("cut", [1, 50, 1000])
def test_a_torn_file_gives_all_captures_before_the_damage(tmp_path: Path, cut: int) -> None:
    session = write_session(tmp_path, make_captures(3, 1))
    path = tmp_path / file_name(session)
    path.write_bytes(path.read_bytes()[:-cut])
    assert [sample.step for sample in read_samples(tmp_path)] == [0, 100]


def test_colours_and_several_shapes_come_back(tmp_path: Path) -> None:
    write_session(tmp_path / "rgb", make_captures(1, 1, shape=(3, 9, 7)))
    write_session(tmp_path / "gray", make_captures(1, 1, shape=(1, 5, 6)))
    write_session(tmp_path / "signal", make_captures(1, 1, shape=(12, 1000)))
    shapes = {sample.run: sample.image.shape for sample in read_samples(tmp_path)}
    assert shapes == {"rgb": (3, 9, 7), "gray": (1, 5, 6), "signal": (12, 1000)}


def test_samples_without_an_ascent_have_no_morphs(tmp_path: Path) -> None:
    sample = make_sample(np.random.default_rng(0), morphs=())
    write_session(tmp_path, [[sample]])
    (back,) = read_samples(tmp_path)
    for target in back.targets:
        assert target.morphs == {}
        assert target.smallest is None
        assert target.delta is None
        assert (target.delta_norm, target.flip, target.flip_distance) == (None, None, None)
        assert (target.steps, target.stopped) == (0, "none")
        assert len(target.strengths) == len(target.probabilities) == len(target.predictions) == 0


def test_every_morph_comes_back_under_its_name(tmp_path: Path) -> None:
    sample = make_sample(
        np.random.default_rng(0),
        morphs=("visible", "smallest"),
        survived=(True, False, True),
        judges=("other",),
    )
    write_session(tmp_path, [[sample]])
    (back,) = read_samples(tmp_path)
    for target, wanted in zip(back.targets, sample.targets, strict=True):
        assert list(target.morphs) == ["visible", "smallest"]
        assert target.smallest is target.morphs["smallest"]
        for name, morph in target.morphs.items():
            original = wanted.morphs[name]
            assert np.abs(morph.delta - original.delta).max() <= original.largest_change / 256
            assert morph.survived == (True, False, True)
            assert morph.flip == original.flip
            assert morph.flip_distance == pytest.approx(original.flip_distance, rel=0.01)
            (judge,) = morph.judges.values()
            np.testing.assert_array_equal(
                judge.probabilities, original.judges["other"].probabilities
            )


def test_a_sample_has_its_own_bounds_or_those_of_the_session(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    own = ((-0.25,), (7.5,))
    write_session(tmp_path, [[make_sample(rng, bounds=own), make_sample(rng)]])
    assert [sample.bounds for sample in read_samples(tmp_path)] == [own, DIGITS.bounds]


def test_a_file_of_version_1_is_read(tmp_path: Path) -> None:
    shutil.copy(VERSION1, tmp_path / file_name("version1"))
    moved, still = read_samples(tmp_path)
    values = np.array([[[-1, -0.5, 0], [0.25, 0.5, 1]]], np.float32)
    for sample in (moved, still):
        assert (sample.step, sample.wall_time, sample.bounds) == (100, 1000.0, ((-1.0,), (2.0,)))
        np.testing.assert_array_equal(sample.image, [[[0, 0.25, 0.5], [0.75, 1, 2]]])
        np.testing.assert_array_equal(sample.classes, [3, 5, 8])
        three, five = sample.targets
        assert (three.index, three.direction, five.index, five.direction) == (3, 1, 5, 1)
        np.testing.assert_array_equal(three.gradient, values * 2)
        np.testing.assert_array_equal(five.gradient, values * -4)
    assert (moved.id, moved.label, moved.probe, moved.loss) == ("moved", 5, True, 0.984375)
    assert (still.id, still.label, still.probe, still.loss) == (None, None, False, None)
    assert [target.morphs for target in still.targets] == [{}, {}]
    three, five = moved.targets
    assert list(three.morphs) == list(five.morphs) == ["morph"]
    np.testing.assert_array_equal(three.delta, values * 0.5)
    np.testing.assert_array_equal(five.delta, values * -0.25)
    np.testing.assert_array_equal(three.original_probabilities, [0.5, 0.75, 1])
    np.testing.assert_array_equal(five.probabilities, [0.375, 0.625, 0.875])
    np.testing.assert_array_equal(five.original_probabilities, [0.5, 0.25, 0.125])
    np.testing.assert_array_equal(five.strengths, [0, 0.5, 1])
    np.testing.assert_array_equal(five.predictions, [3, 5, 5])
    assert (three.steps, three.stopped, three.flip) == (7, "stalled", 0)
    assert (five.steps, five.stopped, five.flip) == (4, "confidence", 0.5)
    assert five.flip_distance == pytest.approx(0.5 * np.linalg.norm(values * -0.25))


def test_wrong_arguments_are_refused_with_the_reason(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match=r"logdir must be a directory, got '.*missing'"):
        read_samples(missing)
    with pytest.raises(ValueError, match=r"run must be recorded in logdir \(nothing is\), got 'a'"):
        read_samples(tmp_path, run="a")
    write_session(tmp_path / "b", make_captures(1, 1))
    with pytest.raises(ValueError, match=r"run must be recorded in logdir \('b'\), got '../b'"):
        read_samples(tmp_path, run="../b")
    with pytest.raises(ValueError, match=r"tag must be recorded in logdir \('confused'\), got"):
        list(read_samples(tmp_path, tag="other"))
    with pytest.raises(TypeError):
        read_samples(tmp_path, step=1.5)  # type: ignore[arg-type]


def test_a_directory_without_records_gives_no_samples(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1700000000.host").touch()
    assert list(read_samples(tmp_path)) == []


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines that say that nothing was recorded."""
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    return [line for line in lines if line.startswith("Nothing was recorded")]


FAULT = Notice("capture-failed-E", "error", "A capture failed: E: it is uint8.", "Call x.float().")


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (Status(), "the hook is running, or was not closed: no capture yet, 0 steps seen."),
        (Status(steps=1), "the hook is running, or was not closed: no capture yet, 1 step seen."),
        (
            Status(steps=1200, ended=True),
            "the hook was closed and captured nothing, 1,200 steps seen.",
        ),
        (
            Status(steps=3, least_margin=0.618, ended=True),
            "nothing was confused: smallest margin 0.62, 3 steps seen.",
        ),
        (
            Status(steps=3, least_margin=0.618),
            "nothing was confused so far: smallest margin 0.62, 3 steps seen.",
        ),
        (
            Status(failed=2, least_margin=0.6, notices=(Notice("a", "info", "Hint."), FAULT)),
            "every capture failed so far. A capture failed: E: it is uint8. Call x.float().",
        ),
        (Status(failed=2), "every capture failed so far."),
        (
            Status(captured=1200, failed=2),
            "its 1,200 captured samples are under another tag, or were lost in writing.",
        ),
    ],
)
def test_a_run_without_captures_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: Status, why: str
) -> None:
    write_session(tmp_path / "old", make_captures(1, 1), statuses=[Status(captured=1)])
    other = Status(steps=77, ended=True)
    write_session(tmp_path / "new", [], start=2000.0, statuses=[other, status])
    write_session(tmp_path / "new", [], start=1000.0, statuses=[other])
    assert [sample.run for sample in read_samples(tmp_path)] == ["old"]
    assert reasons(caplog) == [f"Nothing was recorded in run 'new': {why}"]
    assert all(record.name.startswith("tb_gradascent") for record in caplog.records)


def test_a_run_with_captures_gives_no_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_session(tmp_path, make_captures(1, 1), start=1000.0, tag="scan")
    write_session(tmp_path, [], start=2000.0, statuses=[Status()])
    assert len(list(read_samples(tmp_path))) == 1
    assert list(read_samples(tmp_path, step=5)) == []
    assert reasons(caplog) == []


def test_an_empty_directory_says_that_no_hook_wrote_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert list(read_samples(tmp_path)) == []
    [why] = reasons(caplog)
    assert why == f"Nothing was recorded in {tmp_path}: it has no event file of a hook"
    caplog.clear()
    (tmp_path / file_name("s")).touch()
    assert list(read_samples(tmp_path)) == []
    assert reasons(caplog) == ["Nothing was recorded in run '.': its event files hold no capture."]


def test_what_a_real_hook_did_not_record_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    def sure(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :3] + torch.tensor([9.0, 0, 0])

    model = torch.nn.Identity()
    with GradAscentHook(model, tmp_path / "fails", every=1, forward=sure) as hook:
        hook(images.to(torch.int64), sure(model, images))
    with GradAscentHook(model, tmp_path / "sure", every=1, forward=sure) as hook:
        hook(images, sure(model, images))
    caplog.clear()
    assert list(read_samples(tmp_path)) == []
    fails, nothing = reasons(caplog)
    assert fails.startswith("Nothing was recorded in run 'fails': every capture failed so far. A c")
    assert "x.float()" in fails or "inputs.float()" in fails
    assert nothing.endswith("'sure': nothing was confused: smallest margin 1.00, 1 step seen.")


def test_a_printed_sample_is_short(tmp_path: Path) -> None:
    write_session(tmp_path, make_captures(1, 1))
    (sample,) = read_samples(tmp_path)
    assert len(repr(sample)) < 4000
    assert "step=0" in repr(sample)
