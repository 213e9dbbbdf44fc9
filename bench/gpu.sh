#!/usr/bin/env bash
# What the hook does on a GPU, in less than six minutes: bash bench/gpu.sh [RESULTS]
# Without a GPU: python -m bench.gpu --dry-run.
# Needs a Python with this package's extra "test" and a torch that finds the GPU: PYTHON=... chooses it.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
out=${1:-/dev/stdout}
export OMP_WAIT_POLICY=PASSIVE
status=0
{
    "$python" -c 'import torch; print(torch.__version__, torch.cuda.get_device_name())' || exit 1
    timeout 60 "$python" -m pytest -q tests/training/test_cuda.py || status=1
    timeout 290 "$python" -m bench.gpu || status=1 # each network is printed as it is measured
} >"$out"
exit "$status"
