"""What the judges share: running a suite that speaks TAP with two runtimes, and telling where they differ."""

import argparse
import collections
import os
import pathlib
import re
import signal
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
LINE = re.compile(r"(ok|not ok) \d+(?: - | )?(.*?)(?: in \d+ms)?( +# ?skip.*| #SKIP)?$", re.IGNORECASE)
HIDE = "mountpoint -q /sys/fs/cgroup/unified && umount /sys/fs/cgroup/unified; exec \"$@\""


def options(doc, against):
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkout", type=pathlib.Path)
    p.add_argument("--only", default="", help="names of test files, separated by commas")
    p.add_argument("--under", default=str(TOP / "build" / "tare-oci"), help="the runtime to be judged")
    p.add_argument("--against", default=against, help="the runtime to compare with")
    o = p.parse_args()
    o.only = [name for name in o.only.split(",") if name]
    return o


def hidden(command):
    """The same where a v2 mount beside v1 is not to be seen, which crun refuses."""
    return ["unshare", "-m", "sh", "-c", HIDE, "sh", *command]


def run(file, command, cwd, env, seconds, results):
    """Adds (file, test, how many-th of this name) -> "ok", "not ok" or "skip"."""
    # Pipes, and no /dev/null: crun gives what a container is started with to its user.
    child = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             start_new_session=True)
    try:
        text = child.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        text = child.communicate()[0] + b"\nnot ok 0 - ended in time\n"
    seen = collections.Counter()
    for line in text.decode(errors="replace").replace("\r", "").splitlines():
        found = LINE.match(line)
        if found:
            seen[found[2]] += 1
            results[(file, found[2], seen[found[2]])] = "skip" if found[3] else found[1]


def compare(under, ours, against, theirs):
    """Prints what differs; the number of tests that pass with the other one and not with ours."""
    lost = 0
    for key in list(theirs) + [k for k in ours if k not in theirs]:
        mine, other = ours.get(key, "-"), theirs.get(key, "-")
        if mine == other:
            continue
        bad = other == "ok" and mine != "ok"
        lost += bad
        print(f"{'LOST ' if bad else '     '}{under} {mine:6}  {against} {other:6}  {key[0]}: {key[1]}")
    for name, results in ((under, ours), (against, theirs)):
        values = list(results.values())
        print(f"{name}: {values.count('ok')} ok, {values.count('not ok')} not ok, {values.count('skip')} skipped")
    print(f"{lost} tests that pass with {against} do not with {under}")
    return lost
