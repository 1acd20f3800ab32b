"""``python -m benchmarks [--small] [name ...]``: one table per question, in Markdown, on the terminal."""

import argparse
import importlib
import os
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import machine, measure, table

BENCHMARKS = ("scanning", "preprocessing", "batches", "adapters", "masked_step", "bootstrap", "workflow")
SECONDS = 10.0
"""Measuring time of a benchmark, shared among its tables."""


def main() -> None:
    """Run the named benchmarks, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--small", action="store_true", help="tiny sizes, one run each: does it still work?")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark '{sorted(unknown)[0]}'; known: {', '.join(BENCHMARKS)}")
    # One thread for everybody, set before a library is imported: how well each of them shares out its work is
    # another question. Warnings are libraries' about themselves, and would stand between the tables.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    os.environ["MNE_LOGGING_LEVEL"] = "ERROR"
    warnings.simplefilter("ignore")
    print(machine(), flush=True)
    for name in options.names or BENCHMARKS:
        module = importlib.import_module(f"benchmarks.{name}")
        with TemporaryDirectory(prefix="benchmarks-") as folder:
            tables = module.tables(Path(folder), small=options.small)
            for title, cases in tables.items():
                times = measure(cases, 0.0 if options.small else SECONDS / len(tables))
                print(f"\n### {title}\n\n{table(cases, times)}", flush=True)


if __name__ == "__main__":
    main()
