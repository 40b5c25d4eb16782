#!/usr/bin/python3
"""make check: everything, one line a test as it ends, with its time and an estimate of what is left.

Kinds of tests, all named KIND/NAME:
    check/NAME      tests/check/NAME.py, statements about the sources
    unit/NAME       build/host/unit/test_NAME, under ASan and UBSan
    fuzz/NAME       build/fuzz/fuzz_NAME, a bounded number of inputs
    boot/FILE::TEST pytest in tests/boot, driving emulators

usage: check.py [--list] [WORD...]     only tests whose name contains one of the words (make check T="conf boot/linux")

With DEBUG=1 in the environment (make check DEBUG=1) the machines of the boot tests run the image of `make DEBUG=1`, which checks
locks, and the processor after every exit. It is slower: all waiting is stretched.
"""
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = sys.executable
LOGS = os.path.join(ROOT, "build/check")
DEBUG = bool(os.environ.get("DEBUG"))
TIMES = os.path.join(LOGS, "times-debug.json" if DEBUG else "times.json")

# Emulators are busy all the time: two of them fill two cores.
WORKERS = 2
FUZZ_RUNS = 200000
FUZZ_SECONDS = 20
# Wall seconds that a kind takes when nobody knows better, and those after which it is stuck.
GUESS = {"check": 6, "unit": 1, "fuzz": 15, "boot": 6, "soak": 300}
# Boots of Linux take long: on a fresh clone too they begin first, so that none is left alone at the end.
LONG = {"boot/linux::": 100, "boot/run::linux": 120, "boot/smp_guests::linux": 180}
LIMIT = {"check": 600, "unit": 300, "fuzz": 300, "boot": 900, "soak": 14400}
ORDER = ["check", "unit", "fuzz", "boot", "soak"]


class Test:
    def __init__(self, kind, name, command):
        self.kind, self.command = kind, command
        self.name = kind + "/" + name
        self.log = os.path.join(LOGS, re.sub(r"[^\w.-]+", "_", self.name) + ".log")
        self.verdict, self.seconds = None, 0.0

    def run(self):
        begin = time.monotonic()
        with open(self.log, "wb") as log:
            process = subprocess.Popen(self.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            try:
                code = process.wait(LIMIT[self.kind])
            except subprocess.TimeoutExpired:
                self.end(process)
                log.write(b"\ncheck.py: stuck, ended after %d s\n" % LIMIT[self.kind])
                code = -1
        self.seconds = time.monotonic() - begin
        self.verdict = "FAIL" if code else "ok"
        if self.kind == "boot" and code == 0 and re.search(r"^(?!.* passed).* skipped", self.text(), re.M):
            self.verdict = "skip"

    @staticmethod
    def end(process):
        """pytest closes its emulators when it is interrupted; killed, it would leave them behind."""
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()


def names(folder, pattern):
    found = []
    for name in sorted(os.listdir(os.path.join(ROOT, folder))):
        match = re.fullmatch(pattern, name)
        if match:
            found.append(match.group(1))
    return found


def fuzz_command(name):
    own = os.path.join(ROOT, "build/fuzz/corpus", name)
    seeds = os.path.join(ROOT, "tests/fuzz/corpus", name)
    os.makedirs(own, exist_ok=True)
    return ["build/fuzz/fuzz_" + name, "-runs=%d" % FUZZ_RUNS, "-max_total_time=%d" % FUZZ_SECONDS, "-timeout=10",
            "-artifact_prefix=build/fuzz/%s-" % name, own] + ([seeds] if os.path.isdir(seeds) else [])


def boot_tests(marks="not soak"):
    """The ids as pytest collects them; those that take hours are for tests/soak.py."""
    done = subprocess.run([PYTHON, "-B", "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", "-m", marks, "tests/boot"],
                          cwd=ROOT, capture_output=True, text=True)
    ids = [line for line in done.stdout.splitlines() if "::" in line]
    if done.returncode not in (0, 5):
        print(done.stdout + done.stderr)
        sys.exit("the boot tests cannot be collected")
    return ids


def boot_test(kind, i):
    return Test(kind, re.sub(r"^tests/boot/test_|\.py(?=::)", "", i).replace("::test_", "::"),
                [PYTHON, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--tb=short", i])


def collect():
    tests = [Test("check", n, [PYTHON, "-B", "tests/check/%s.py" % n]) for n in names("tests/check", r"(\w+)\.py")]
    tests += [Test("unit", n, ["build/host/unit/test_" + n]) for n in names("tests/unit", r"test_(\w+)\.c")]
    tests += [Test("fuzz", n, fuzz_command(n)) for n in names("tests/fuzz", r"fuzz_(\w+)\.c")]
    return tests + [boot_test("boot", i) for i in boot_tests()]


def clean_environment():
    """What a make above us has put there is not for the makes below: neither its job server nor DEBUG."""
    for name in [n for n in os.environ if n.startswith(("MAKE", "MFLAGS")) or n == "DEBUG"]:
        del os.environ[name]
    if DEBUG:
        os.environ["AVATAR_ELF"] = os.path.join(ROOT, "build-debug/avatar.elf")
        os.environ.setdefault("AVATAR_TIMEOUT_STRETCH", "2")


def make(goals, log):
    done = subprocess.run(["make", "-j%d" % (os.cpu_count() or 1)] + goals, cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    log.write(done.stdout)
    if done.returncode:
        print(done.stdout[-6000:])
        sys.exit("the build failed; all of it: build/check/build.log")


def build(tests):
    """Make what these tests need, and nothing else."""
    clean_environment()
    goals = []
    kinds = {t.kind for t in tests}
    if kinds & {"check", "boot", "soak"}:
        goals.append("all")
    if kinds & {"boot", "soak"}:
        goals += ["guests", "guests-debian"]
    goals += [t.command[0] for t in tests if t.kind in ("unit", "fuzz")]
    print("building ...", flush=True)
    with open(os.path.join(LOGS, "build.log"), "w") as log:
        make(goals, log)
        if DEBUG and kinds & {"boot", "soak"}:
            make(["DEBUG=1", "all"], log)


def load_times():
    try:
        with open(TIMES) as f:
            return json.load(f)
    except (OSError, ValueError):
        return {}


def duration(seconds):
    if seconds < 90:
        return "%d s" % round(seconds)
    return "%d min" % round(seconds / 60)


class Runner:
    def __init__(self, tests, workers=WORKERS):
        self.tests, self.times, self.workers = tests, load_times(), workers
        rank = {kind: i for i, kind in enumerate(ORDER)}
        # Long ones first inside a kind, so that no worker is left alone with one at the end.
        self.queue = sorted(tests, key=lambda t: (rank[t.kind], -self.expected(t), t.name))
        self.left = len(tests)
        self.running = {}
        self.lock = threading.Lock()

    def expected(self, test):
        long = (seconds for begin, seconds in LONG.items() if test.name.startswith(begin))
        return self.times.get(test.name, next(long, GUESS[test.kind]))

    def remaining(self):
        """Wall seconds until all is done, if everything takes what it took last time."""
        now = time.monotonic()
        work = sum(self.expected(t) for t in self.queue)
        under_way = [max(0.0, self.expected(t) - (now - begin)) for t, begin in self.running.items()]
        return max((work + sum(under_way)) / self.workers, max(under_way, default=0.0))

    def report(self, test):
        left = "" if not self.left else "   %d left, about %s" % (self.left, duration(self.remaining()))
        print("%-4s %7.1f s  %s%s" % (test.verdict, test.seconds, test.name, left), flush=True)
        if test.verdict == "FAIL":
            lines = test.text().strip().splitlines()
            print("\n".join("     | " + line for line in lines[-45:]))
            print("     log: %s" % os.path.relpath(test.log, ROOT), flush=True)

    def worker(self):
        while True:
            with self.lock:
                if not self.queue:
                    return
                test = self.queue.pop(0)
                self.running[test] = time.monotonic()
            test.run()
            with self.lock:
                del self.running[test]
                self.left -= 1
                self.times[test.name] = round(test.seconds, 1)
                self.report(test)

    def run(self):
        workers = [threading.Thread(target=self.worker) for _ in range(self.workers)]
        for w in workers:
            w.start()
        try:
            for w in workers:
                w.join()
        except KeyboardInterrupt:
            # What is under way has got the same Ctrl-C from the terminal.
            with self.lock:
                self.queue.clear()
            for w in workers:
                w.join()
            print("interrupted")
        with open(TIMES, "w") as f:
            json.dump(self.times, f, indent=1, sort_keys=True)


def words_of(options, usage):
    """The command line's words. An option that there is not, --help among them, ends it with the usage: it must not run
    everything."""
    if not set(w for w in sys.argv[1:] if w.startswith("-")) <= set(options):
        sys.exit(usage.strip())
    return [w for w in sys.argv[1:] if not w.startswith("-")]


def main():
    words = words_of(["--list"], __doc__)
    os.makedirs(LOGS, exist_ok=True)
    tests = [t for t in collect() if not words or any(w in t.name for w in words)]
    if "--list" in sys.argv:
        print("\n".join(t.name for t in tests))
        return 0
    if not tests:
        print("no test's name contains %s" % " or ".join(words))
        return 1
    begin = time.monotonic()
    build(tests)
    runner = Runner(tests)
    print("%d tests, about %s" % (len(tests), duration(runner.remaining())), flush=True)
    runner.run()
    verdicts = [t.verdict for t in tests if t.verdict]
    for t in sorted((t for t in tests if t.verdict == "FAIL"), key=lambda t: t.name):
        print("failed: %s (%s)" % (t.name, os.path.relpath(t.log, ROOT)))
    skipped = verdicts.count("skip")
    print("%d passed, %d failed%s in %s" % (verdicts.count("ok"), verdicts.count("FAIL"),
                                          ", %d skipped" % skipped if skipped else "", duration(time.monotonic() - begin)))
    return 1 if "FAIL" in verdicts or len(verdicts) < len(tests) else 0


if __name__ == "__main__":
    sys.exit(main())
