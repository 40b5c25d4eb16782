#!/usr/bin/python3
"""make soak: what takes too long for make check. Boot tests marked `soak`, two at a time; each gives its verdict and the figures
that it has seen. All of it is kept in build/soak.json, also over several runs with some of the tests each.

usage: soak.py [--list|--table|--one] [WORD...]     only tests whose name contains one of the words (make soak T="linux storm");
                                                    --one: one at a time
"""
import json
import os
import sys

import check

RESULT = os.path.join(check.ROOT, "build/soak.json")
FIGURES = os.path.join(check.ROOT, "build/figures")


def load():
    try:
        with open(RESULT) as f:
            return json.load(f)
    except (OSError, ValueError):
        return {}


def figures_of(test):
    """What the test has left (tests/boot/conftest.py, `figure`)."""
    try:
        with open(os.path.join(FIGURES, os.path.basename(test.log)[len("soak_"):-len(".log")] + ".json")) as f:
            return json.load(f)
    except OSError:
        return {}


class Soak(check.Runner):
    def report(self, test):
        super().report(test)
        results = load()
        results[test.name[len("soak/"):]] = {"verdict": test.verdict, "seconds": round(test.seconds), "figures": figures_of(test)}
        with open(RESULT + ".new", "w") as f:
            json.dump(results, f, indent=1, sort_keys=True)
        os.rename(RESULT + ".new", RESULT)


def table():
    """The results as docs/soak.md has them."""
    print("| Test | Verdict | Figures |\n|---|---|---|")
    for name, result in sorted(load().items()):
        print("| `%s` | %s | %s |" % (name, result["verdict"], ", ".join("%s %s" % f for f in result["figures"].items())))
    return 0


def main():
    words = check.words_of(["--list", "--table", "--one"], __doc__)
    if "--table" in sys.argv:
        return table()
    os.makedirs(check.LOGS, exist_ok=True)
    tests = [check.boot_test("soak", i) for i in check.boot_tests("soak")]
    tests = [t for t in tests if not words or any(w in t.name for w in words)]
    if "--list" in sys.argv or not tests:
        print("\n".join(t.name for t in tests) or "no test's name contains %s" % " or ".join(words))
        return not tests
    check.build(tests)
    Soak(tests, 1 if "--one" in sys.argv else check.WORKERS).run()
    failed = [t.name for t in tests if t.verdict != "ok"]
    print("\n".join("failed: " + name for name in failed))
    print("%d passed, %d failed; figures: build/soak.json" % (len(tests) - len(failed), len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
