"""``python -m tests.fuzz``: every target for as many inputs as ``RUNS`` says, guided by coverage.

What breaks a target is written to ``build/fuzz/<target>/``; mend the code, and add it to
``tests/fuzz/corpus/<target>/``, which every test run tries.
"""

from __future__ import annotations

import argparse
import logging
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.mutator import mutate_json

CORPUS = Path(__file__).parent / "corpus"
RUNS = {
    "record": 500_000,
    "payload": 300_000,
    "image": 300_000,
    "session_info": 100_000,
    "names": 100_000,
    "joined": 20_000,
    "event": 20_000,
    "event_file": 50_000,
    "tensors": 20_000,
    "request": 100_000,
}
"""Inputs of each target; the first three decode records."""
JSON_TARGETS = ("record", "session_info")
MEMORY_MIB = 1024
"""What the process of a target may take, the fuzzer itself included."""
LONGEST_S = 10
"""Seconds that one input may take."""
LARGEST = 1 << 14
"""Bytes of an input."""
WORDS = (
    *("run=", "tag=", "sample=", "&", "sound", "confused", "numbers", "sound.0.0", "%00", "%ff"),
    *(
        "index?",
        "payloads?",
        "records?",
        "part=",
        "runs",
        "static/",
        "index.js",
        "%2e%2e/",
        "payload",
        "version",
    ),
    *("null", "NaN", "Infinity", "-1", "1e999", "[]", "{}", "[[", "true", "9223372036854775807"),
)
"""What the fuzzer may put in as it is."""


def main() -> None:
    """Fuzz all targets in turn, or one."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[*RUNS, []], help="by default all")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of inputs")
    parser.add_argument("--seed", type=int, default=1, help="of the fuzzer (%(default)s)")
    parser.add_argument("--build", type=Path, default=Path("build/fuzz"), help="(%(default)s)")
    options = parser.parse_args()
    failed = []
    for target in options.targets or RUNS:
        runs = max(int(RUNS[target] * options.scale), 1)
        start = time.monotonic()
        code = _in_a_process(target, runs, options.seed, options.build / target)
        took = time.monotonic() - start
        print(
            f"{target:14} {runs:9,} inputs {took:7.1f} s  {'FAILED' if code else 'ok'}", flush=True
        )
        if code:
            failed.append(target)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def _in_a_process(target: str, runs: int, seed: int, folder: Path) -> int:
    """The fuzzer ends its process, so each target has one; its output is shown where it failed."""
    folder.mkdir(parents=True, exist_ok=True)
    code = "from tests.fuzz.__main__ import fuzz; fuzz()"
    flags = [f"-runs={runs}", f"-seed={seed}", f"-max_len={LARGEST}", f"-timeout={LONGEST_S}"]
    flags += [
        f"-rss_limit_mb={MEMORY_MIB}",
        "-print_final_stats=1",
        "-reduce_inputs=0",
        f"-artifact_prefix={folder}/",
    ]
    log = folder / "log"
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-c", code, target, str(folder), *flags],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        print(log.read_text(errors="replace")[-4000:])
    return done.returncode


def fuzz() -> None:
    """One target, in the process that this is; the command line is the fuzzer's."""
    import atheris

    with atheris.instrument_imports(include=["tb_gradascent"]):
        from tests.fuzz.seeds import SEEDS
        from tests.fuzz.targets import TARGETS

    # That damaged records were passed over is what is meant to be said.
    logging.getLogger("tb_gradascent").setLevel(logging.ERROR)
    logging.getLogger("tensorboard").setLevel(logging.CRITICAL)
    target, folder = sys.argv[1], Path(sys.argv[2])
    grown, given = folder / "grown", folder / "seeds"
    for directory in (grown, given):
        directory.mkdir(exist_ok=True)
    for number, data in enumerate(SEEDS[target]()):
        (given / str(number)).write_bytes(data)
    words = folder / "words"
    words.write_text("".join(f'"{word}"\n' for word in WORDS))
    inputs = [grown, given, *([CORPUS / target] if (CORPUS / target).is_dir() else [])]

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)  # noqa: S311  # it keeps nothing secret
        mutated = mutate_json(data, rng) if rng.random() < 0.8 else None
        return mutated[:most] if mutated else bytes(atheris.Mutate(data, most))

    mutator = {"custom_mutator": mutate} if target in JSON_TARGETS else {}
    flags = [f"-dict={words}", *sys.argv[3:]]
    atheris.Setup([sys.argv[0], *map(str, inputs), *flags], TARGETS[target], **mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
