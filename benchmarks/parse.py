"""How fast raw recordings become sequences, next to the plain loops that define what is right.

    python -m benchmarks.parse                    generated recordings of NTU's usual size
    python -m benchmarks.parse --files FOLDER     `.skeleton` files of your own
    python -m benchmarks.parse --archive 20000    a whole zip with that many files: time, memory, NTU-120, scaling

The comparison counts processor time in one process: the best of five rounds over all files, taking turns. An archive
is parsed with one and with two processes, the best of the rounds, taking turns as well. That is time on the clock,
from the first look into the zip to the written corpus; its ratio needs a machine that does nothing else. At NTU-120's
size, `--archive 114480 --rounds 1` shows the memory.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scople.data.corpus import Corpus
from scople.data.skeletons import choose_by_energy, normalise
from scople.formats.datasets import DataSet, parse
from scople.formats.ntu import parse_skeleton
from tests import raw_files, reference_parser

FRAMES = 300
NTU120 = 114_480
USUAL_LENGTH = 107  # frames of a file of 292 kB


def main() -> None:
    """Read the command line and print what was measured."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--files", type=Path, help="folder with .skeleton files")
    arguments.add_argument("--archive", type=int, metavar="N", help="measure a generated zip with N files")
    arguments.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds over an archive (default 3)")
    arguments.add_argument("--parse", nargs=2, metavar=("FOLDER", "JOBS"), help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.parse:
        folder = Path(options.parse[0])
        start = time.perf_counter()
        parse(DataSet.load(folder / "generated.yaml"), folder, folder / "out", jobs=int(options.parse[1]))
        print(time.perf_counter() - start)
        return
    texts = (
        [path.read_bytes() for path in sorted(options.files.glob("*.skeleton"))] if options.files else recordings(16)
    )
    if options.archive:
        measure_archive(texts, options.archive, options.rounds)
    else:
        measure_one_core(texts)


def recordings(count: int) -> list[bytes]:
    """Recordings of one body, as long as NTU's usually are; the unread columns vary as well, or they would pack."""
    generator = np.random.default_rng(0)
    texts = []
    for _ in range(count):
        pieces = raw_files.skeleton_text(raw_files.one_body(generator, USUAL_LENGTH)).split(raw_files.UNREAD.encode())
        columns = generator.normal(size=(len(pieces), 8)) * [99, 99, 99, 99, 1, 1, 1, 1]
        unread = [" ".join(f"{value:.7g}" for value in row).encode() + b" 2" for row in columns]
        texts.append(b"".join(each for pair in zip(pieces, unread, strict=True) for each in pair)[: -len(unread[-1])])
    return texts


def measure_one_core(texts: list[bytes]) -> None:
    """Parse, choose the bodies and normalise every text, both ways."""
    recorded = list(map(parse_skeleton, texts))
    sequences = list(map(choose_by_energy, recorded))
    megabytes = sum(map(len, texts)) / 1e6

    def plain_loops() -> None:
        for text in texts:
            reference_parser.normalise(
                reference_parser.choose_by_energy(reference_parser.read_frames(text.decode())), FRAMES
            )

    def package() -> None:
        for text in texts:
            normalise(choose_by_energy(parse_skeleton(text)), FRAMES)

    plain, fast = best_seconds(plain_loops, package)
    print(f"{len(texts)} files of {1000 * megabytes / len(texts):.0f} kB, one core, {FRAMES} frames")
    for name, seconds in (("plain loops", plain), ("this package", fast)):
        rate = len(texts) / seconds
        print(f"  {name:12} {1000 / rate:7.2f} ms a file {rate:7.1f} files/s {megabytes / seconds:7.1f} MB/s")
    print(f"  ratio {plain / fast:.1f}")

    parsing, choosing, normalising, short = best_seconds(
        lambda: list(map(parse_skeleton, texts)),
        lambda: list(map(choose_by_energy, recorded)),
        lambda: [normalise(sequence, FRAMES) for sequence in sequences],
        lambda: [normalise(sequence, 32) for sequence in sequences],
    )
    steps = {"parse": parsing, "choose": choosing, f"normalise to {FRAMES}": normalising, "normalise to 32": short}
    print("  " + ", ".join(f"{step} {1000 * seconds / len(texts):.2f} ms" for step, seconds in steps.items()))


def best_seconds(*runs: Callable[[], object]) -> list[float]:
    """Least processor time of each; they take turns, so as to share what else the machine does."""
    best = [float("inf")] * len(runs)
    for _ in range(5):
        for i, run in enumerate(runs):
            start = time.process_time()
            run()
            best[i] = min(best[i], time.process_time() - start)
    return best


def measure_archive(texts: list[bytes], count: int, rounds: int) -> None:
    """Parse a whole zip with one and with two processes, then read the corpus in two ways."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = {
            f"S{i // 12000 + 1:03d}C001P{i // 120 % 100 + 1:03d}R001A{i % 120 + 1:03d}.skeleton": texts[i % len(texts)]
            for i in range(count)
        }
        start = time.perf_counter()
        raw_files.write_zip(folder / "generated.zip", files)
        (folder / "classes.csv").write_text(
            "id,label,two_person\n" + "".join(f"{i},class {i},0\n" for i in range(1, 121))
        )
        (folder / "generated.yaml").write_text(
            "format: ntu-skeleton\narchives: [generated.zip]\nclasses: classes.csv\ntrain_subjects: [1]\n"
        )
        size = (folder / "generated.zip").stat().st_size / 1e9
        text_size = sum(map(len, files.values())) / 1e9
        print(f"{count} files, {text_size:.2f} GB of text in a zip of {size:.2f} GB", end=" ")
        print(f"(written in {time.perf_counter() - start:.0f} s)")
        runs: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
        for _ in range(rounds):
            for jobs, measured in runs.items():
                measured.append(run_watched(["--parse", str(folder), str(jobs)]))
        best = {jobs: min(seconds for seconds, _ in measured) for jobs, measured in runs.items()}
        for jobs, seconds in best.items():
            peak = max(peak for _, peak in runs[jobs])
            print(
                f"  jobs {jobs}: {seconds:.1f} s, {count / seconds:.0f} files/s, {1e3 * text_size / seconds:.0f} MB/s, "
                f"peak memory {peak:.0f} MB; NTU-120's {NTU120} files: {seconds * NTU120 / count / 60:.1f} min"
            )
        print(f"  two processes are {best[1] / best[2]:.2f} times as fast as one, on {os.cpu_count()} cores")
        corpus = Corpus.open(folder / "out")
        packed = (folder / "out" / "sequences.npy").stat().st_size / 1e9
        print(f"  packed: {packed:.2f} GB, for NTU-120 {packed * NTU120 / count:.1f} GB")
        measure_reading(corpus, folder / "normalised.npy")


def measure_reading(corpus: Corpus, path: Path) -> None:
    """A sample normalised when it is read, against a sample normalised once and read from disk."""
    rows = np.random.default_rng(0).permutation(len(corpus))[:2000].tolist()
    shape = (len(rows), *normalise(corpus.sequence(0), FRAMES).shape)
    stored = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for item, row in enumerate(rows):
        stored[item] = normalise(corpus.sequence(row), FRAMES)
    read, stored_read = best_seconds(
        lambda: [normalise(corpus.sequence(row), FRAMES) for row in rows],
        lambda: [np.array(stored[item]) for item in range(len(rows))],
    )
    print(
        f"  a sample of {FRAMES} frames: {1e3 * read / len(rows):.2f} ms normalised on reading, "
        f"{1e3 * stored_read / len(rows):.2f} ms read as stored (from the page cache; "
        f"{stored[0].nbytes * NTU120 / 1e9:.0f} GB for NTU-120)"
    )


def run_watched(words: list[str]) -> tuple[float, float]:
    """What this script prints when called so, and the largest sum of its and its children's resident memory, in MB."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.parse", *words], stdout=subprocess.PIPE, text=True)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(map(resident_megabytes, descendants(process.pid))))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(process.returncode)
    return float(process.communicate()[0]), peak


def descendants(pid: int) -> list[int]:
    """A process and all below it; Linux only."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        threads = [path for path in Path(f"/proc/{pid}/task").iterdir() if path.name != str(pid)]
        for thread in threads:
            children += (thread / "children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in descendants(int(child)))]


def resident_megabytes(pid: int) -> float:
    """Resident memory of one process; shared pages count in each."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


if __name__ == "__main__":
    main()
