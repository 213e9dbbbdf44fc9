"""Makes a report: the tab as one HTML file that opens without TensorBoard."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.format.payload import check_payload
from tb_gradascent.format.record import RecordError
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.samples import CapturedSample, Sample
from tb_gradascent.plugin.report_page import ReportRow, ReportSession, report_page
from tb_gradascent.plugin.rows import encode_row
from tb_gradascent.reader import StoredSample, read_stored

MOST_SAMPLES: Final = 200
"""How many samples a report holds unless told otherwise."""


def report(
    logdir: str | os.PathLike[str],
    output: str | os.PathLike[str] = "report.html",
    *,
    run: str | None = None,
    tag: str | None = None,
    pair: tuple[int | str, int | str] | None = None,
    limit: int | None = MOST_SAMPLES,
    title: str | None = None,
) -> int:
    """Write the newest samples, and the page that shows them, as one HTML file.

    The file needs no server, no network and no other file. Records and arrays are stored as they
    were recorded.

    Args:
        logdir: TensorBoard's log directory: a path, or a URL that ``fsspec`` supports.
        output: The file to write. An existing file is replaced.
        run: Only this run: a directory relative to ``logdir``, ``"."`` for ``logdir`` itself.
        tag: Only this tag of the hook.
        pair: Only samples whose two most probable classes are these, in either order. Each is the
            index of a class, or its name. The part before a name's first comma is enough.
        limit: At most so many samples: those of the last steps. ``None`` for all.
        title: The title of the page.

    Returns:
        How many samples the report holds.

    Raises:
        FileNotFoundError: ``logdir`` is not a directory.
        ValueError: ``run`` or ``tag`` was not recorded, ``limit`` is less than 1, ``output`` cannot
            be a file, or there is no sample to report.
        OSError: An event file cannot be read, or ``output`` cannot be written.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    _check_output(Path(output))
    stored_samples = list(read_stored(logdir, run=run, tag=tag))
    found = [stored for stored in stored_samples if pair is None or _has_pair(stored, pair)]
    if limit is not None:
        newest = sorted(found, key=lambda stored: (stored.entry.step, stored.entry.wall_time))
        kept = set(map(id, newest[len(newest) - min(limit, len(newest)) :]))
        found = [stored for stored in found if id(stored) in kept]
    if not found:
        which = "" if pair is None else f" of the pair {pair[0]},{pair[1]}"
        raise ValueError(
            f"logdir must hold at least one sample{which} to report, got none in {str(logdir)!r}"
            f"{_frequent_pairs(stored_samples)}"
        )
    sessions: dict[tuple[str, str, int], ReportSession] = {}
    for stored in sorted(found, key=_in_session):
        key = (stored.run, stored.tag, stored.position)
        new = ReportSession(stored.run, stored.tag, stored.session)
        sessions.setdefault(key, new).rows.append(_stored_row(stored))
    Path(output).write_text(report_page(sessions.values(), title=title), encoding="utf-8")
    return len(found)


def _check_output(output: Path) -> None:
    """Refuse a file that cannot be written, before the samples are read."""
    if output.is_dir():
        raise ValueError(f"output must be a file, got the folder {str(output)!r}")
    if not output.parent.is_dir():
        raise ValueError(
            f"output must be a file in a folder that exists, got {str(output)!r}; make the folder"
        )


def _has_pair(stored: StoredSample, pair: tuple[int | str, int | str]) -> bool:
    names = stored.info.class_names or ()
    wanted = [_indices(name, names) for name in pair]
    one, other = _top_two(stored)
    return (one in wanted[0] and other in wanted[1]) or (one in wanted[1] and other in wanted[0])


def _indices(wanted: int | str, names: Sequence[str]) -> set[int]:
    """Return the classes that a number or a name stands for."""
    if not isinstance(wanted, str):
        return {wanted}
    return {index for index, name in enumerate(names) if wanted in (name, name.partition(",")[0])}


def _top_two(stored: StoredSample) -> tuple[int, int]:
    one, other = parse_record(stored.entry.record)["classes"][:2]
    return one, other


def _frequent_pairs(samples: Sequence[StoredSample]) -> str:
    """Return the end of a message that names the three pairs with the most samples."""
    counts = Counter(tuple(sorted(_top_two(stored))) for stored in samples)
    pairs = [f"{one},{other}" for (one, other), _ in counts.most_common(3)]
    return f"; the most frequent pairs there are {' and '.join(pairs)}" if pairs else ""


def _in_session(stored: StoredSample) -> tuple[str, str, int, int, int]:
    entry = stored.entry
    return stored.run, stored.tag, stored.position, entry.capture, entry.index


def _stored_row(stored: StoredSample) -> ReportRow:
    entry = stored.entry
    record = parse_record(entry.record)
    row = encode_row(record, capture=entry.capture, index=entry.index, wall_time=entry.wall_time)
    payload = stored.payload()
    try:
        check_payload(record["payload"], payload)
    except RecordError:
        payload = b""
    return ReportRow(entry.capture, entry.index, row, payload)


def report_html(
    samples: Iterable[Sample], *, title: str | None = None, link: Mapping[str, str] | None = None
) -> str:
    """Return samples, and the page that shows them, as the text of one HTML file.

    The page runs in an ``iframe`` with ``srcdoc`` and ``sandbox="allow-scripts"``, too.

    Args:
        samples: Samples as ``read_samples`` yields them, of any runs and tags.
        title: The title of the page.
        link: What the page shows first, by the names of the fields of a link to the tab, such as
            ``{"view": "samples", "strength": "0.5"}``. By default what the tab shows first.

    Raises:
        ValueError: A sample breaks a limit of the format.
    """
    sessions: dict[tuple[Any, ...], ReportSession] = {}
    for sample in samples:
        key = (sample.run, sample.tag, sample.mean, sample.std, sample.class_names, sample.rank)
        if key not in sessions:
            info = SessionInfo(
                class_names=sample.class_names,
                mean=sample.mean,
                std=sample.std,
                rank=sample.rank,
                world_size=None if sample.rank is None else sample.rank + 1,
                ascents=tuple(dict.fromkeys(name for t in sample.targets for name in t.morphs)),
            )
            described = {"session": f"s{len(sessions)}", **info.to_json()}
            sessions[key] = ReportSession(sample.run, sample.tag, described)
        rows = sessions[key].rows
        names = [field.name for field in dataclasses.fields(CapturedSample)]
        captured = CapturedSample(**{name: getattr(sample, name) for name in names})
        record, payload = encode_sample(captured)
        # Each sample becomes a capture of its own, because two may have the same index.
        row = encode_row(
            parse_record(record), capture=len(rows), index=0, wall_time=sample.wall_time
        )
        rows.append(ReportRow(len(rows), 0, row, payload))
    return report_page(sessions.values(), title=title, link=link)
