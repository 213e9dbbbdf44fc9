"""``python -m tb_gradascent scan``: a checkpoint and a folder of pictures, and no training loop."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tb_gradascent import GradAscentHook, Sample, read_samples, scan_command
from tb_gradascent.__main__ import main
from tb_gradascent.scanning.picture_folder import ENDINGS
from testing import networks
from testing.documented import table
from testing.fork_server import ForkServer
from testing.networks import DIGITS, MEAN, STD, convolutional
from testing.paths import ROOT

COUNT = 60
MODULE = """
import os, signal, time
from testing.networks import convolutional
from torch import nn

def make_model():
    return convolutional()

def of_width(width):
    return nn.Linear(width, 2)

def number():
    return 7

asked = []  # no attribute of the model: a scan restores those

class Interrupted(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = convolutional()

    def forward(self, inputs):
        asked.append(len(inputs))
        if len(asked) == 17:
            os.kill(os.getpid(), signal.SIGINT)  # as Ctrl+C does
        return self.net(inputs)
"""


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    return networks.trained()


@pytest.fixture(scope="module")
def pictures() -> dict[str, bytes]:
    """Files of digits by path: a folder for each class."""
    found = {}
    with np.load(DIGITS) as arrays:
        rows = zip(arrays["test_images"][:COUNT], arrays["test_labels"], strict=False)
        for row, (image, label) in enumerate(rows):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "png")
            found[f"{label}/{row:03}.png"] = file.getvalue()
    return found


@pytest.fixture
def folder(
    tmp_path: Path,
    trained: nn.Module,
    pictures: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A user's folder, which is the working directory: a module, weights, and pictures.

    A scan in this process makes no morphs.
    """
    without_morphs = functools.partial(GradAscentHook, ascent=None)
    monkeypatch.setattr("tb_gradascent.scanning.scan.GradAscentHook", without_morphs)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    (tmp_path / "own.py").write_text(MODULE)
    torch.save(trained.state_dict(), tmp_path / "w.pt")
    for name, content in pictures.items():
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


NEEDED = ("--model", "own:make_model", "--images", "images", "--logdir", "runs")
NORMALIZED = ("--mean", str(MEAN), "--std", str(STD))


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tb_gradascent", "scan", *NEEDED, *NORMALIZED, *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in the working directory."""
    return subprocess.run(
        command(*arguments), env=environment(), check=False, capture_output=True, text=True
    )


def margins(model: nn.Module, images: Path) -> dict[str, float]:
    """The margin of each picture's probabilities, without the code under test."""
    found = {}
    model.eval()
    for path in images.glob("*/[0-9]*.png"):
        pixels = torch.tensor(np.asarray(Image.open(path))).float() / 255
        with torch.no_grad():
            chances = model((pixels[None, None] - MEAN) / STD).softmax(1)[0].sort().values
        found["/".join(path.parts[-2:])] = float(chances[-1] - chances[-2])
    return found


def scanned(tag: str = "scan") -> list[Sample]:
    return list(read_samples("runs", tag=tag))


@pytest.mark.process
def test_the_most_confused_pictures_of_a_folder_are_recorded(
    folder: Path, trained: nn.Module
) -> None:
    (folder / "images" / "3" / "text.png").write_bytes(b"not a picture")
    whole = next((folder / "images" / "3").glob("0*.png")).read_bytes()
    (folder / "images" / "4" / "cut.png").write_bytes(whole[:120])
    (folder / "images" / "4" / "empty.jpg").write_bytes(b"")
    (folder / "images" / "4" / ".hidden.png").write_bytes(b"")
    (folder / "images" / "notes.txt").write_text("no picture")
    done = run("--weights", "w.pt", "--top-k", "6", "--tag", "holdout", "--batch-size", "7")
    assert done.returncode == 0, done.stderr
    samples = scanned("holdout")
    every = margins(trained, folder / "images")
    assert len(every) == COUNT
    assert [sample.id for sample in samples] == sorted(every, key=lambda name: every[name])[:6]
    for sample in samples:
        assert sample.id is not None
        assert sample.margin == pytest.approx(every[sample.id], abs=1e-4)
        assert sample.label == int(sample.id[0])
        assert sample.class_names == tuple("0123456789")
        assert (sample.mean, sample.std) == ((MEAN,), (STD,))
        pixels = np.asarray(Image.open(folder / "images" / sample.id))
        np.testing.assert_allclose(sample.image[0] * STD + MEAN, pixels / 255, atol=1e-6)
        assert all(set(target.morphs) <= {"smallest", "visible"} for target in sample.targets)
        assert any(target.morphs for target in sample.targets)
    assert f"{COUNT} pictures were looked at, and 6 of them are recorded." in done.stdout
    assert "tensorboard --logdir runs" in done.stdout
    assert "3 files cannot be read" in done.stderr
    for name in ("3/text.png", "4/cut.png", "4/empty.jpg"):
        assert f"\n  {name}: " in done.stderr
    assert "hidden" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.process
def test_a_terminal_shows_the_progress(folder: Path, programs: ForkServer) -> None:
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    done = programs.run(
        f"""
        import os, runpy, sys
        os.chdir({str(folder)!r})
        sys.path.insert(0, "")
        os.environ["TERM"] = "xterm"
        os.dup2(os.open({os.ttyname(its_end)!r}, os.O_RDWR | os.O_NOCTTY), 2)
        runpy.run_module("tb_gradascent", run_name="__main__")
        """,
        *command("--top-k", "2", "--batch-size", "10")[3:],
    )
    os.close(its_end)
    shown = b""
    with contextlib.suppress(OSError):  # a terminal that ended raises it
        while part := os.read(terminal, 65536):
            shown += part
    os.close(terminal)
    assert b"scan: 100%" in shown
    assert b"6/6" in shown
    assert "2 of them are recorded" in done.stdout


@pytest.mark.process
def test_an_interrupted_scan_records_what_it_found(folder: Path, programs: ForkServer) -> None:
    done = programs.run(
        f"""
        import os, runpy, signal, sys
        os.chdir({str(folder)!r})
        sys.path.insert(0, "")
        signal.signal(signal.SIGINT, signal.default_int_handler)  # also in the background
        runpy.run_module("tb_gradascent", run_name="__main__")
        """,
        *command("--model", "own:Interrupted", "--batch-size", "2", "--top-k", "3")[3:],
    )
    assert done.returncode == 130
    assert "what was found so far is recorded" in done.stderr
    assert "Traceback" not in done.stderr
    samples = scanned()
    assert len(samples) == 3
    looked_at = int(done.stdout.split()[0])
    assert 8 <= looked_at < COUNT
    first = sorted("/".join(path.parts[-2:]) for path in (folder / "images").glob("*/*"))
    assert {sample.id for sample in samples} <= set(first[:looked_at])


def test_a_folder_without_readable_pictures_records_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = folder / "damaged"
    damaged.mkdir()
    for number in range(12):
        (damaged / f"{number:02}.png").write_bytes(b"no")
    assert main(["scan", *NEEDED, "--images", "damaged"]) == 1
    told = capsys.readouterr().err
    assert "12 files cannot be read" in told
    assert "\n  and 2 more\n" in told
    assert "None of 12 pictures can be read." in told
    assert not (folder / "runs").exists()


def test_without_folders_pictures_have_no_labels(folder: Path) -> None:
    """A name that is not UTF-8 is one too."""
    images = folder / "images" / "7"
    strange = os.fsdecode(b"caf\xe9.png")
    next(images.glob("*.png")).rename(images / strange)
    assert main(["scan", *NEEDED, *NORMALIZED, "--images", str(images)]) == 0
    samples = scanned()
    assert len(samples) == len(list(images.iterdir()))
    assert {sample.label for sample in samples} == {None}
    assert {sample.class_names for sample in samples} == {None}
    assert len({sample.id for sample in samples}) == len(samples)


def test_class_names_of_a_windows_editor_are_read(folder: Path) -> None:
    """Its files begin with a mark of the byte order."""
    names = [f"kind {number}" for number in range(10)]
    for old in (folder / "images").iterdir():
        old.rename(old.with_name(f"kind {old.name}"))
    (folder / "names.txt").write_text("\r\n".join(names), encoding="utf-8-sig")
    assert main(["scan", *NEEDED, *NORMALIZED, "--class-names", "names.txt"]) == 0
    samples = scanned()
    assert {sample.class_names for sample in samples} == {tuple(names)}
    assert all(f"kind {sample.label}/" in (sample.id or "") for sample in samples)


def test_a_scan_without_labels_says_how_to_get_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "images" / "unsorted").mkdir()
    next((folder / "images" / "7").iterdir()).rename(folder / "images" / "unsorted" / "a.png")
    assert main(["scan", *NEEDED, *NORMALIZED, "--top-k", "2"]) == 0
    assert "give --class-names with the folders' names" in capsys.readouterr().err


@pytest.mark.parametrize("turned", [0, 1])
def test_labels_are_doubted_if_all_answers_are_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str], turned: int
) -> None:
    names = [str((index + turned) % 10) for index in range(10)]
    (folder / "names.txt").write_text("\n".join(names))
    arguments = ["--weights", "w.pt", "--top-k", "12", "--class-names", "names.txt"]
    assert main(["scan", *NEEDED, *NORMALIZED, *arguments]) == 0
    wrong = sum(sample.classes[0] != sample.label for sample in scanned())
    doubted = "All 12 recorded pictures with a label are wrong" in capsys.readouterr().err
    assert doubted == (wrong == 12) == bool(turned)


@pytest.mark.parametrize("criterion", ["loss", "misclassified", "entropy"])
def test_a_criterion_is_chosen_by_name(folder: Path, criterion: str) -> None:
    arguments = ["--weights", "w.pt", "--top-k", "5", "--criterion", criterion]
    assert main(["scan", *NEEDED, *NORMALIZED, *arguments]) == 0
    samples = scanned()
    assert samples
    if criterion == "misclassified":
        assert all(sample.classes[0] != sample.label for sample in samples)
    else:
        values = [getattr(sample, criterion) for sample in samples]
        assert values == sorted(values, reverse=True)


def test_pictures_are_scaled_and_cropped_to_a_size(folder: Path) -> None:
    wide = Image.new("RGB", (60, 30))
    wide.paste((255, 0, 0), (16, 0, 44, 30))
    wide.save(folder / "images" / "wide.png")
    (folder / "own.py").write_text(
        "from testing.networks import convolutional\n"
        "def make_model():\n    return convolutional(channels=3)\n"
    )
    assert main(["scan", *NEEDED, "--size", "12x8", "--top-k", "100"]) == 0
    samples = {sample.id: sample for sample in scanned()}
    assert len(samples) == COUNT + 1
    assert {sample.image.shape for sample in samples.values()} == {(3, 12, 8)}
    red = np.zeros((3, 12, 8), np.float32)
    red[0] = 1  # the centre of the picture is 12 by 8 pixels of red after scaling
    np.testing.assert_allclose(samples["wide.png"].image, red, atol=1e-6)


def test_pictures_of_different_sizes_are_scanned_as_they_are(folder: Path) -> None:
    for path in [
        *(folder / "images").glob("*/0[2-9]*.png"),
        *(folder / "images").glob("*/0?[5-9].png"),
    ]:
        path.unlink(missing_ok=True)
    for path in (folder / "images").glob("*/00*.png"):
        Image.open(path).resize((20, 24)).save(path)
    assert main(["scan", *NEEDED, "--top-k", "100", "--batch-size", "16"]) == 0
    samples = scanned()
    assert len(samples) == 10
    for sample in samples:
        assert sample.id is not None
        small = sample.id[2:].startswith("00")
        assert sample.image.shape == ((1, 24, 20) if small else (1, 28, 28))


def test_a_transform_of_ones_own_makes_the_inputs(folder: Path) -> None:
    (folder / "own.py").write_text(
        "import numpy, torch\n"
        "from testing.networks import convolutional as make_model\n"
        "def turned(picture):\n"
        "    pixels = torch.tensor(numpy.asarray(picture)).float()\n"
        "    return pixels.flip(1)[None] / 127.5 - 1\n"
    )
    assert main(["scan", *NEEDED, "--transform", "own:turned", "--top-k", "4"]) == 0
    for sample in scanned():
        assert (sample.mean, sample.std) == ((0.5,), (0.5,))
        assert sample.bounds == ((-1.0,), (1.0,))
        assert sample.id is not None
        pixels = np.asarray(Image.open(folder / "images" / sample.id))
        np.testing.assert_allclose(sample.image[0], pixels[:, ::-1] / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "own"], "--model must be module:function, timm:NAME"),
        (["--model", "not_there:make"], "a module that Python finds, got 'not_there:make'"),
        (["--model", "own.py:make_model"], "Write own:make_model"),
        (["--model", "own:make_modle"], "did you mean make_model?"),
        (["--model", "own:of_width"], "without required arguments, got own:of_width with width"),
        (["--model", "own:number"], "that returns a int"),
        (["--model", "own:time"], "must name a function that makes a torch.nn.Module"),
        (["--model", "hf:./nowhere"], "an image classifier of the Hugging Face hub"),
        (["--images", "nowhere"], "--images must be a folder of pictures, got 'nowhere'"),
        (["--images", "empty"], "got 'empty' with no file"),
        (["--images", "texts"], "got 'texts' with 1 files of other kinds"),
        (["--weights", "nowhere.pt"], "--weights must be a file, got 'nowhere.pt'"),
        (["--weights", "code.pt"], "weights_only=True"),
        (["--weights", "number.pt"], "--weights must hold tensors by name"),
        (["--weights", "other.pt"], "1 unknown (weight)"),
        (["--weights", "wide.pt"], "9.weight has the shape (12, 256) and needs (10, 256)"),
        (["--class-names", "two.txt"], "each of the 10 classes, got 2 names"),
        (["--class-names", "nowhere.txt"], "--class-names must be a file"),
        (["--transform", "own:number", "--size", "8"], "must be left out with --transform"),
        (["--mean", "0.5"], "--mean and --std must be given together"),
        (["--channels", "3"], "the model must answer to a picture of shape (1, 3, 28, 28)"),
        (["--device", "cuda:99"], "--device must be a device of torch, got 'cuda:99'"),
        (["--logdir", "own.py"], "a folder that can be written, got the file 'own.py'"),
        (["--tag", ""], "tag must be printable text"),
        (["--criterion", "loss", "--images", "images/3"], "--criterion loss needs labels"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_names_the_argument_and_the_rule(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty").mkdir()
    (folder / "texts").mkdir()
    (folder / "texts" / "a.txt").write_text("a")
    (folder / "two.txt").write_text("cat\ndog\n")
    torch.save({"weight": torch.zeros(2)}, "other.pt")
    torch.save(convolutional(classes=12).state_dict(), "wide.pt")
    torch.save(3, "number.pt")
    torch.save(convolutional(), "code.pt")
    assert main(["scan", *NEEDED, *arguments]) == 2
    told = capsys.readouterr().err
    (line,) = [line for line in told.splitlines() if line.startswith("error: ")]
    assert message in line
    assert not (folder / "runs").is_dir() or not list(read_samples("runs"))


@pytest.mark.parametrize(
    "arguments", [["--top-k", "0"], ["--batch-size", "x"], ["--size", "8x"], ["--mean", "a,b"]]
)
def test_a_value_of_the_wrong_kind_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["scan", *NEEDED, *arguments])
    assert exit_.value.code == 2
    assert f"argument {arguments[0]}" in capsys.readouterr().err


def test_a_model_that_fails_in_between_leaves_what_was_found(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "own.py").write_text(
        "from testing.networks import convolutional\n"
        "from torch import nn\n"
        "calls = []\n"
        "class make_model(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.net = convolutional()\n"
        "    def forward(self, x):\n"
        "        calls.append(len(x))\n"
        "        if len(calls) == 12:\n"
        "            raise RuntimeError('out of luck')\n"
        "        return self.net(x)\n"
    )
    assert main(["scan", *NEEDED, "--batch-size", "4", "--top-k", "5"]) == 1
    captured = capsys.readouterr()
    assert "error: the scan stopped: out of luck" in captured.err
    assert "5 of them are recorded" in captured.out
    assert len(scanned()) == 5


def test_the_page_has_every_option_with_its_default() -> None:
    page = (ROOT / "docs" / "scan.md").read_text(encoding="utf-8")
    rows = table(page, "option")
    commands = argparse.ArgumentParser().add_subparsers()
    scan_command.add_command(commands)
    actions = commands.choices["scan"]._actions
    options = {action.option_strings[-1]: action for action in actions}
    del options["--help"]
    assert {row.strip("`") for row in rows} == set(options)
    for row, (default, meaning) in rows.items():
        action = options[row.strip("`")]
        assert meaning
        assert (default == "required") == action.required
        if action.default is not None and not action.required:
            assert default == f"`{action.default}`"
        for choice in action.choices or ():
            assert f"`{choice}`" in meaning
    for ending in ENDINGS:
        assert f"`{ending}`" in page


@pytest.mark.process
def test_the_list_of_commands_and_a_wrong_one_need_no_torch() -> None:
    code = (
        "import sys; from tb_gradascent.__main__ import main\n"
        "try:\n    main([sys.argv[1]])\n"
        "finally:\n    assert 'torch' not in sys.modules"
    )
    for argument, status, part in (("--help", 0, "scan"), ("sacn", 2, "invalid choice: 'sacn'")):
        done = subprocess.run(
            [sys.executable, "-c", code, argument],
            check=False,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == status
        assert part in done.stdout + done.stderr
