"""The same bytes on every CPU: what the libraries are told, the products, and the whole chain on three CPUs."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from test_stages import inside, workplace  # noqa: F401

from scople.base import arithmetic

CPUS = ("Haswell", "EPYC-Rome")
"""An Intel and an AMD CPU with AVX2, as qemu calls them."""

TOLD = (
    "import stages, os; from scople.base.arithmetic import PORTABLE; "
    "print(*[os.environ.get(name) for name in PORTABLE])"
)
HEARD = (
    "import stages, torch, numpy; features = numpy._core._multiarray_umath.__cpu_features__; "
    "print(torch.backends.cpu.get_cpu_capability(), features['X86_V4'])"
)


def shown(root, place, program=TOLD, **environment):
    """What a process in a folder ends up with, started from the environment of no stage."""
    clean = {name: value for name, value in os.environ.items() if name not in (*arithmetic.PORTABLE, arithmetic.MARK)}
    words = (sys.executable, "-c", program)
    path = {"PYTHONPATH": str(root)}
    done = subprocess.run(words, cwd=place, env=clean | path | environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def settings(place, **machine):
    place.mkdir()
    (place / "params.yaml").write_text(yaml.safe_dump({"machine": machine}))
    return place


needs_avx2 = pytest.mark.skipif(bool(arithmetic.why_not()), reason=f"portable arithmetic: {arithmetic.why_not()}")


@needs_avx2
@pytest.mark.parametrize("environment", [{}, {"ATEN_CPU_CAPABILITY": "avx512", "MKL_CBWR": "AVX512"}])
def test_portable_wins_over_the_environment_before_anything_is_loaded(root, tmp_path, environment):
    place = settings(tmp_path / "place", arithmetic="portable")
    assert shown(root, place, **environment) == " ".join(arithmetic.PORTABLE.values()).split()
    assert shown(root, place, HEARD, **environment) == ["AVX2", "False"]


@pytest.mark.parametrize(
    "document", ["machine: {arithmetic: 1e", "- no mapping\n", "machine: {}\n", "machine: {arithmetic: 7}\n"]
)
def test_a_damaged_file_leaves_it_to_the_stage_to_complain(root, tmp_path, document):
    (tmp_path / "params.yaml").write_text(document)
    assert shown(root, tmp_path) == shown(root, settings(tmp_path / "good", arithmetic="portable"))


def test_native_leaves_the_environment_alone(root, tmp_path):
    place = settings(tmp_path / "place", arithmetic="native")
    assert shown(root, place) == ["None"] * len(arithmetic.PORTABLE)
    assert shown(root, place, MKL_CBWR="AVX2")[1] == "AVX2"


def test_native_forgets_what_a_portable_process_handed_down(root, tmp_path):
    handed_down = arithmetic.PORTABLE | {arithmetic.MARK: "portable"}
    found = shown(root, settings(tmp_path / "place", arithmetic="native"), **handed_down)
    assert found == ["None"] * len(arithmetic.PORTABLE)


@needs_avx2
def test_asked_too_late_it_says_so(monkeypatch):
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    with pytest.raises(ImportError, match="numpy and torch came before .* import `stages` first"):
        arithmetic.prepare("portable")


@pytest.mark.parametrize(
    ("machine", "flags", "reason"),
    [
        ("x86_64", {"avx2", "fma", "sse2"}, ""),
        ("x86_64", {"sse2", "fma"}, "this CPU has no AVX2"),
        ("x86_64", {"sse2"}, "this CPU has no AVX2 and no FMA"),
        ("aarch64", set(), "this CPU is aarch64 and not x86-64"),
    ],
)
def test_what_a_cpu_lacks(monkeypatch, machine, flags, reason):
    monkeypatch.setattr(arithmetic.platform, "machine", lambda: machine)
    monkeypatch.setattr(arithmetic, "_instruction_sets", lambda: flags)
    assert arithmetic.why_not() == reason


def test_a_cpu_without_avx2_is_told_nothing_that_would_stop_it(monkeypatch):
    monkeypatch.setattr(arithmetic, "why_not", lambda: "this CPU has no AVX2")
    monkeypatch.setattr(os, "environ", dict(os.environ) | arithmetic.PORTABLE)
    arithmetic.prepare("portable")
    assert not arithmetic.PORTABLE.keys() & os.environ.keys()


def test_a_stage_says_that_its_bytes_will_differ(root, inside):  # noqa: F811
    (inside / "sitecustomize.py").write_text("import platform\nplatform.machine = lambda: 'aarch64'\n")
    words = (sys.executable, "-m", "stages.preflight")
    paths = {"PYTHONPATH": os.pathsep.join(map(str, (inside, root)))}
    done = subprocess.run(words, cwd=inside, env=os.environ | paths, capture_output=True, text=True, check=True)
    assert done.stderr.count("note: this CPU is aarch64 and not x86-64, so the results will differ in bytes") == 1


@needs_avx2
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64])
@pytest.mark.parametrize("sizes", [(3, 5, 7), (1, 11, 13), (17, 1, 1), (0, 2, 3), (2, 0, 3), (331, 389, 127)])
def test_products_are_products(sizes, dtype):
    """By torch's batched product, which stays torch's own; also transposed and strided."""
    rows, inner, columns = sizes
    generator = torch.Generator().manual_seed(1)
    a = (8 * torch.randn(rows, inner, generator=generator)).to(dtype)
    b = (8 * torch.randn(2 * inner, columns, generator=generator)).to(dtype)[::2]
    bias = (8 * torch.randn(columns, generator=generator)).to(dtype)
    tolerance = {torch.float32: 1e-2, torch.float64: 1e-10, torch.bfloat16: 8.0, torch.int64: 0}[dtype]
    expected = torch.bmm(a[None], b[None])[0]
    for left, right in ((a, b), (a.T.contiguous().T, b), (a, b.T.contiguous().T)):
        torch.testing.assert_close(torch.mm(left, right), expected, atol=tolerance, rtol=1e-2 if tolerance == 8 else 0)
    scaled = torch.addmm(bias, a, b, beta=2, alpha=3)
    torch.testing.assert_close(scaled, 2 * bias + 3 * expected, atol=8 * tolerance, rtol=2e-2 if tolerance == 8 else 0)


@needs_avx2
def test_products_are_numpys(monkeypatch):
    called = []
    product = np.matmul
    monkeypatch.setattr(np, "matmul", lambda *arrays, out: called.append(arrays[0].shape) or product(*arrays, out=out))
    layer = torch.nn.Linear(5, 7)
    layer(torch.randn(3, 5, requires_grad=True)).sum().backward()
    assert called == [(3, 5), (3, 7), (7, 3)]  # forward, gradient of the input, gradient of the weights


@needs_avx2
def test_a_product_lies_in_torchs_own_memory(monkeypatch):
    # To release NumPy's memory takes the interpreter. What an interrupted backward pass has saved is released after the
    # interpreter has ended: the process crashed there instead of ending with its exit code.
    monkeypatch.setattr(torch, "from_numpy", None)
    assert torch.equal(torch.ones(3, 5) @ torch.ones(5, 7), torch.full((3, 7), 5.0))
    assert torch.equal(torch.addmm(torch.ones(7), torch.ones(3, 5), torch.ones(5, 7)), torch.full((3, 7), 6.0))


def run_chain(root, place, cpu, last, **machine):
    """A copy of the tiny data set through the chain on a CPU; digest of every file. `cpu` is qemu's name or ""."""
    document = yaml.safe_load((place / "params.yaml").read_text())
    document["machine"] |= machine
    (place / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    clean = {name: value for name, value in os.environ.items() if name not in (*arithmetic.PORTABLE, arithmetic.MARK)}
    emulator = ("qemu-x86_64", "-cpu", cpu) if cpu else ()
    script = (sys.executable, root / "tests/portable_chain.py", last, place / "digests.json")
    paths = {"PYTHONPATH": os.pathsep.join(map(str, (root, root / "tests"))), "GOMP_SPINCOUNT": "0"}
    done = subprocess.run(
        (*emulator, *script), cwd=place, env=clean | paths, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((place / "digests.json").read_text())


@needs_avx2
@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("qemu-x86_64"), reason="no qemu-x86_64, Debian's package qemu-user, to emulate CPUs"
)
def test_the_chain_gives_the_same_bytes_on_three_cpus(root, workplace, tmp_path):  # noqa: F811
    """From raw text to tables: this CPU, an Intel and an AMD one; and without portable arithmetic it does not."""
    runs = {("portable", cpu): "tables" for cpu in CPUS} | {("native", cpu): "features" for cpu in CPUS}
    runs["portable", ""] = "tables"
    places = {key: tmp_path / "-".join(key) for key in runs}
    for place in places.values():
        shutil.copytree(workplace, place)
    with ThreadPoolExecutor(2) as pool:
        running = {
            (kind, cpu): pool.submit(run_chain, root, places[kind, cpu], cpu, last, arithmetic=kind)
            for (kind, cpu), last in runs.items()
        }
        digests = {key: run.result() for key, run in running.items()}
    here = digests["portable", ""]
    kinds = ("backbone", "features", "model", "evaluation", "metrics", "tables")
    assert all(any(kind in Path(name).parts for name in here) for kind in kinds)
    for cpu in CPUS:
        assert digests["portable", cpu] == here, cpu
    intel, amd = (digests["native", cpu] for cpu in CPUS)
    assert {name for name in intel if intel[name] != amd[name]} >= {"work/demo/backbone/tiny_6_2/1.safetensors"}
