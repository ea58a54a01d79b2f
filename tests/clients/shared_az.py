"""Runs az's commands in forks of one process, which has az's modules in memory: importing them is most of a command's time.

Usage: shared_az.py DIRECTORY, with two pipes in it. Each call is the arguments, each with a NUL behind it, through the pipe
`call`. The command writes to the files `stdout` and `stderr`, and then its exit status goes through the pipe `status`. The
file `commands` lists the commands, each with its status before it.
"""

import contextlib
import gc
import importlib
import itertools
import os
import pathlib
import re
import runpy
import sys

directory = pathlib.Path(sys.argv[1])


def run(arguments):
    """Becomes `az` with these arguments, as `python -m azure.cli` does."""
    for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        with open(directory / name, "wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.argv = ["az", *arguments]
    try:
        runpy.run_module("azure.cli", run_name="__main__", alter_sys=True)
    finally:
        (directory / "modules").write_text("\n".join(sys.modules))


def import_what_it_imported():
    """Imports the modules of the last command, so that the next fork has them."""
    for name in (directory / "modules").read_text().split("\n"):
        if name.startswith("azure.") and name not in sys.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    gc.freeze()  # or else each fork would copy everything when it collects garbage


def words(arguments):
    """The command itself, without what follows it."""
    return " ".join(itertools.takewhile(re.compile("[a-z][a-z-]*$").match, arguments))


while True:
    arguments = (directory / "call").read_text().split("\0")[:-1]
    if not (process := os.fork()):
        sys.exit(run(arguments))
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with open(directory / "commands", "a") as commands:
        print(status, words(arguments), file=commands)
    (directory / "status").write_text(f"{status}\n")
    import_what_it_imported()
