#!/usr/bin/python3
"""make deps, with apt and its relatives played by scripts: it asks for what is missing and for nothing else, uses sudo when it
is not root, tries again when a mirror fails, and gives up in words. And make run and make check begin with it."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Each player writes down how it was called. $MISSING: packages that dpkg does not know until apt has installed them.
PLAYERS = {
    "dpkg-query": """#!/bin/sh
for last; do :; done
for p in $MISSING; do [ "$last" != "$p" ] || [ -e "$STAGE/installed" ] || exit 1; done
printf 'install ok installed'
""",
    "apt-get": """#!/bin/sh
echo "apt-get $*" >> "$STAGE/calls"
n=$(cat "$STAGE/failures"); [ "$n" -eq 0 ] || { echo $((n - 1)) > "$STAGE/failures"; exit 100; }
case "$*" in *install*) touch "$STAGE/installed";; esac
""",
    "sudo": '#!/bin/sh\necho sudo >> "$STAGE/calls"\nexec "$@"\n',
    "sleep": '#!/bin/sh\necho "sleep $*" >> "$STAGE/calls"\n',
    "id": '#!/bin/sh\necho "$USER_ID"\n',
}


def play(missing="", failures=0, user=0, without=()):
    """The exit code, what was said, and who was called."""
    with tempfile.TemporaryDirectory(prefix="avatar-deps-") as stage:
        for name, text in PLAYERS.items():
            if name in without:
                continue
            with open(os.open(os.path.join(stage, name), os.O_CREAT | os.O_WRONLY, 0o755), "w") as f:
                f.write(text)
        # The shell's helpers, and nothing else: a real apt must not be found.
        for name in ("sh", "env", "grep", "cat", "touch"):
            os.symlink("/usr/bin/" + name, os.path.join(stage, name))
        with open(stage + "/failures", "w") as f:
            f.write(str(failures))
        env = {"PATH": stage, "STAGE": stage, "MISSING": missing, "USER_ID": str(user)}
        done = subprocess.run(["/bin/sh", "tests/deps.sh"], cwd=ROOT, env=env, capture_output=True, text=True)
        calls = open(stage + "/calls").read().splitlines() if os.path.exists(stage + "/calls") else []
        return done.returncode, done.stdout + done.stderr, calls


UPDATE = "apt-get -q update"
INSTALL = "apt-get -q -y --no-install-recommends install nasm gdb"


def checks():
    yield "nothing missing", play(), (0, [])
    yield "two missing", play("nasm gdb"), (0, [UPDATE, INSTALL])
    yield "not root", play("nasm gdb", user=1000), (0, ["sudo", UPDATE, "sudo", INSTALL])
    yield "the mirror fails once", play("nasm gdb", failures=1), (0, [UPDATE, "sleep 10", UPDATE, INSTALL])
    yield "it fails three times", play("nasm gdb", failures=3), \
        (0, [UPDATE, "sleep 10", UPDATE, "sleep 20", UPDATE, "sleep 30", UPDATE, INSTALL])
    yield "it fails for good", play("nasm gdb", failures=99), \
        (1, [UPDATE, "sleep 10", UPDATE, "sleep 20", UPDATE, "sleep 30", UPDATE, "sleep 40", UPDATE])
    yield "neither root nor sudo", play("nasm gdb", user=1000, without=["sudo"]), (1, [])
    yield "no Debian", play("nasm gdb", without=["apt-get"]), (1, [])


def main():
    found = []
    for what, (code, said, calls), wanted in checks():
        if (code, calls) != wanted or bool(said.strip()) != (what != "nothing missing"):
            found.append("%s: code %d, %s\n%s" % (what, code, calls, said))
        if wanted[0] and "make deps: " not in said.splitlines()[-1]:
            found.append("%s: it does not say why it gave up: %s" % (what, said))
    # As if typed, also when a make runs this.
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    for target in ("run", "check", "debug", "bench"):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, env=env, capture_output=True, text=True)
        if not done.stdout.startswith("sh tests/deps.sh\n"):
            found.append("make %s does not begin with make deps: %s" % (target, done.stdout[:200]))
    print("\n".join(found) or "installs what is missing, tries again, says why it gives up")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
