"""Run programs in processes of their own without a new import of torch for each.

One real program imports torch and the package. For each request it forks a child, which runs the
given code as its main program and ends as any Python program does: ``atexit`` functions run,
signals end it, an exception is printed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from types import TracebackType

from testing.paths import ROOT

_SERVER = """
import gc, json, os, sys
sys.path[0] = os.getcwd()  # "" would stand for the folder that a program changes to
import torch
import tb_gradascent.hook, testing.networks, testing.synthetic
from testing.any_speed import capture_at_any_speed
capture_at_any_speed()
torch.set_num_threads(1)
gc.freeze()  # a child then ends faster
for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if child == 0:
        break
    status = os.waitpid(child, 0)[1]
    print(os.waitstatus_to_exitcode(status), flush=True)
else:
    os._exit(0)
import warnings
warnings.simplefilter("error")
for descriptor, path in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
    os.dup2(os.open(path, os.O_RDWR), descriptor)
sys.argv[1:] = request["arguments"]
torch.manual_seed(0)
exec(compile(request["code"], "<program>", "exec"), {"__name__": "__main__"})
"""


class ForkServer:
    """A program that has imported torch and the package; a context, which ends it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run code in a process of its own, with warnings as errors, and wait for its end.

        Args:
            code: Python; common indentation is removed.
            arguments: ``sys.argv[1:]``, as text.
        """
        assert self._process.stdin
        assert self._process.stdout
        texts = [str(argument) for argument in arguments]
        with tempfile.TemporaryDirectory() as folder:
            outputs = [Path(folder, name) for name in ("stdout", "stderr")]
            for path in outputs:
                path.touch()
            request = {"code": textwrap.dedent(code), "arguments": texts}
            request |= {path.name: str(path) for path in outputs}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            status = self._process.stdout.readline()
            assert status, "the fork server has ended"
            stdout, stderr = (path.read_text() for path in outputs)
        return subprocess.CompletedProcess(texts, int(status), stdout, stderr)

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
