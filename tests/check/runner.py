#!/usr/bin/python3
"""make check's own manners, with made-up tests: a line for each as it ends, with its time and an estimate of what is left; a
failed one shows the end of its log and where the log is; a stuck one is ended; the exit code tells."""
import contextlib
import io
import os
import re
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
sys.dont_write_bytecode = True
import check as runner  # noqa: E402


def play(tests, words=()):
    """What is printed for these tests instead of the real ones, and the exit code."""
    runner.collect = lambda: tests
    runner.build = lambda chosen: None
    sys.argv = ["check.py"] + list(words)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = runner.main()
    return out.getvalue(), code


def made_up():
    def shell(kind, name, script):
        return runner.Test(kind, name, ["sh", "-c", script])
    return [shell("unit", "good", "echo fine"), shell("unit", "bad", "echo first words; echo last words; exit 3"),
            shell("unit", "stuck", "exec sleep 60"), shell("boot", "machine", "echo '1 passed in 2 s'"),
            shell("boot", "absent", "echo '1 skipped in 2 s'")]


def checks():
    out, code = play(made_up())
    for words in (r"^5 tests, about \d+ (s|min)$", r"^ok +\d+\.\d s  unit/good", r"^FAIL +\d+\.\d s  unit/bad", r"^skip +\d+\.\d s  boot/absent",
                  r"   \d left, about \d+ (s|min)$", r"^     \| first words\n     \| last words$", r"^     log: \S+unit_bad\.log$",
                  r"check\.py: stuck, ended after 3 s", r"^failed: unit/stuck \(", r"^2 passed, 2 failed, 1 skipped in \d+ s$"):
        if not re.search(words, out, re.M):
            yield "not printed: %s\n%s" % (words, out)
    if not code:
        yield "the exit code does not tell of the failure"
    out, code = play(made_up(), ["boot/m", "good"])
    if code or not re.search(r"^2 passed, 0 failed in \d+ s$", out, re.M):
        yield "words do not choose tests: %s" % out
    out, code = play(made_up(), ["nothing"])
    if not code or "no test's name contains nothing" not in out:
        yield "a word that chooses nothing: %s" % out
    # What a test took is remembered for the next estimate.
    if set(runner.load_times()) != {t.name for t in made_up()}:
        yield "times are not remembered: %s" % runner.load_times()


def main():
    with tempfile.TemporaryDirectory(prefix="avatar-check-") as folder:
        runner.LOGS, runner.TIMES, runner.LIMIT = folder, folder + "/times.json", dict.fromkeys(runner.LIMIT, 3)
        found = list(checks())
    print("\n".join(found) or "lines, estimates, logs and exit codes are as they should be")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
