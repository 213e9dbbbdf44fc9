"""``python -m tests.fuzz``: runs every target on ``RUNS`` inputs, guided by coverage.

An input that breaks a target is written to ``build/fuzz/<target>/``. Fix the code and add the input
to ``tests/fuzz/corpus/<target>/``: every test run tries the inputs in that folder.
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
    "status": 100_000,
    "names": 100_000,
    "joined": 20_000,
    "event": 20_000,
    "event_file": 50_000,
    "tensors": 20_000,
    "status_tensor": 20_000,
    "request": 100_000,
}
"""The number of inputs of each target. The first three targets decode records."""
JSON_TARGETS = ("record", "session_info", "status")
MEMORY_MIB = 1024
"""The most memory of a target's process, with the fuzzer."""
LONGEST_S = 10
"""The most seconds for one input."""
LARGEST = 1 << 14
"""The most bytes of an input."""
WORDS = (
    *("run=", "tag=", "sample=", "&", "sound", "confused", "numbers", "sound.0.0", "%00", "%ff"),
    *(
        "index?",
        "payloads?",
        "records?",
        "newest?",
        "report?",
        "&records=",
        "&link=",
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
"""Words that the fuzzer may insert."""


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
    """Run one target in a process of its own, because the fuzzer ends its process."""
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
    """Fuzz one target in this process. The command line holds the fuzzer's options."""
    import atheris

    with atheris.instrument_imports(include=["tb_gradascent"]):
        from tests.fuzz.seeds import SEEDS
        from tests.fuzz.targets import TARGETS

    # Warnings about damaged records are expected.
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
