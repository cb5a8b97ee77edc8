"""Random verbs on random containers, several at once, while random processes of this engine are killed. Started by `run`, in namespaces of its own.

A round is one verb; what it does depends on the seed and the round's number alone, so that a seed gives the same rounds again (when which of them
meets which is the machine's affair). After every EPOCH rounds the workers stop and the engine is looked at: `ps` and `system check` succeed, and a
second check finds nothing. In every second epoch everything is removed too, and then nothing may be left: mounts, processes, cgroups, network
interfaces, port elements, leases, rows, files, blobs.
"""
import argparse
import collections
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time

EPOCH = 50
HANG = 40  # seconds after which a verb hangs; the slowest takes a few on a busy machine
NAMES = [f"c{i}" for i in range(6)]
VOLUMES = ["v0", "v1", "v2"]
NETWORKS = ["n0", "n1"]
IMAGES = ["busybox", "busybox", "busybox", "made0", "made1", "tag0", "tag1"]
PORTS = range(8000, 8006)
REGISTRY = "127.0.0.1:5077"
# What no command may ever say, whatever happened to others
FORBIDDEN = re.compile(r"database (disk image|schema)|is locked|malformed|corrupt|constraint failed|assert|Sanitizer|runtime error|stack smashing|"
                       r"Structure needs cleaning|Bad file descriptor|Too many open files|Device or resource busy|Directory not empty|No such process")

arguments = argparse.ArgumentParser()
arguments.add_argument("--seed", type=int, default=None)
arguments.add_argument("--rounds", type=int, default=1000)
arguments.add_argument("--workers", type=int, default=4)
arguments.add_argument("--kills", type=int, default=30, help="of 100 rounds, how many have a process killed")
arguments.add_argument("--trace", action="store_true", help="print every command and how it ended")
arguments.add_argument("--state", required=True)
arguments.add_argument("--image", required=True)
options = arguments.parse_args()
if options.seed is None:
    options.seed = random.SystemRandom().randrange(1000000)

state = options.state
root, run_root = f"{state}/root", f"{state}/run"
tare = f"{state}/bin/tare"
token = f"torture-{os.path.basename(state)}"
environment = {"PATH": os.environ["PATH"], "TARE_ROOT": root, "TARE_RUN": run_root, "TARE_BRIDGE": "torture0", "DOCKER_CONFIG": f"{state}/docker",
               "TORTURE": token, "LC_ALL": "C", "HOME": state}
seen_ids = set()
problems = []
refusals = collections.Counter()
done = collections.Counter()
kills = collections.Counter()
lock = threading.Lock()
trace_file = open(f"{state}/trace", "w", buffering=1)


def problem(text):
    with lock:
        problems.append(text)
        print("PROBLEM", text, flush=True)


def trace(text):
    line = f"{time.monotonic():.3f} {text}"
    with lock:
        print(line, file=trace_file)
        if options.trace:
            print(line, flush=True)


def call(*args, timeout=HANG, data=None):
    """A command outside of the rounds: must succeed."""
    got = subprocess.run([tare, *args], env=environment, capture_output=True, text=True, input=data, timeout=timeout, errors="replace")
    if got.returncode != 0:
        problem(f"tare {' '.join(args)}: {got.returncode}: {got.stderr.strip()[-600:]}")
    return got.stdout


# --- verbs: a function of the round's random numbers each, that returns the words and what stdin says ---

def container(r):
    return r.choice(NAMES)


def run_flags(r):
    flags = ["-e", f"TORTURE={token}"]
    if r.random() < 0.25:
        flags += ["-p", f"{r.choice(PORTS)}:80"]
    if r.random() < 0.3:
        flags += ["-v", f"{r.choice(VOLUMES)}:/data"]
    if r.random() < 0.15:
        flags += ["-v", "/anonymous"]
    network = r.random()
    if network < 0.3:
        flags += ["--network", "none"]
    elif network < 0.5:
        flags += ["--network", r.choice(NETWORKS)]
    if r.random() < 0.15:
        flags += ["--memory", "64m"]
    if r.random() < 0.1:
        flags += ["--init"]
    if r.random() < 0.3:
        flags += ["--health-cmd", r.choice(["true", "test -e /file", "sleep 5", "nosuchcommand"]), "--health-interval", r.choice(["50ms", "200ms"]),
                  "--health-timeout", "300ms", "--health-retries", "2", "--health-on-failure", r.choice(["none", "kill", "stop", "restart"])]
    return flags


def command(r):
    return r.choice([["sleep", "1000"], ["sleep", "1000"], ["sleep", "0.2"], ["sh", "-c", "trap exit TERM; while :; do echo x; sleep 0.1; done"],
                     ["sh", "-c", "echo a > /file; echo out; echo err >&2; exit 3"], ["sh", "-c", "sleep 1000 & sleep 1000"], ["nosuchcommand"]])


def verb_run(r):
    policy = r.choice([[], [], ["--rm"], ["--restart", "always"], ["--restart", "on-failure:3"]])
    return ["run", "-d", "--name", container(r), *policy, *run_flags(r), r.choice(IMAGES), *command(r)], None


def verb_run_attached(r):
    what = r.choice([["true"], ["sh", "-c", "seq 2000"], ["cat"], ["sleep", "0.1"], ["nosuchcommand"]])
    name = ["--name", container(r)] if r.random() < 0.5 else []
    return ["run", "-i", *name, *(["--rm"] if not name or r.random() < 0.5 else []), *run_flags(r), "busybox", *what], "words\n" * 100


def verb_create(r):
    return ["create", "--name", container(r), *run_flags(r), r.choice(IMAGES), *command(r)], None


def verb_exec(r):
    what = r.choice([["true"], ["sh", "-c", "echo x > /made; cat /made"], ["sleep", "0.2"], ["cat"], ["ps"]])
    return ["exec", *r.choice([["-i"], []]), *r.choice([[], [], ["-d"]]), container(r), *what], "words\n"


def verb_cp(r):
    inside = f"{container(r)}:/{r.choice(['', 'tmp', 'data', 'etc'])}"
    there = f"{state}/scratch/{r.randrange(1000000)}"
    return ["cp", f"{state}/context", inside] if r.random() < 0.5 else ["cp", f"{inside}", there], None


def verb_build(r):
    text = f"FROM busybox\nCOPY file /file{r.randrange(3)}\nRUN sha256sum /file* > /sum; echo {r.randrange(4)}\n"
    if r.random() < 0.3:
        text += "RUN ls -lR /etc > /list; sleep 0.1\n"
    return ["build", "-q", *r.choice([[], ["--no-cache"]]), "-t", r.choice(["made0", "made1"]), "-f", "-", f"{state}/context"], text


def verb_load(r):
    return ["load", "-q", "-i", f"{state}/saved.tar"], None


def verb_update(r):
    what = r.choice([["--memory", "64m"], ["--memory", "-1"], ["--cpu-shares", "300", "--pids-limit", "50"], ["--restart", r.choice(["no", "always", "on-failure:1"])],
                     ["--publish-add", f"{r.choice(PORTS)}:80"], ["--publish-rm", "80"], ["--publish-rm", "80", "--publish-add", f"{r.choice(PORTS)}:80"],
                     ["--volume-add", f"{r.choice(VOLUMES)}:/more"], ["--mount-rm", r.choice(["/more", "/data"])],
                     ["--mount-add", f"type=bind,src={state}/context,dst=/bound/{r.randrange(3)}"], ["--label-add", "a=b", "--env-add", "C=d"]])
    return ["update", *what, container(r), *([container(r)] if r.random() < 0.2 else [])], None


def plain(*choices):
    """A verb that is one of these lists of words, each a text or a function of the round's numbers."""
    def words(r):
        return [w(r) if callable(w) else w for w in r.choice(choices)], None
    return words


def image(r):
    return r.choice(IMAGES[3:])


VERBS = [
    (14, "run", verb_run), (7, "run attached", verb_run_attached), (6, "create", verb_create), (9, "exec", verb_exec), (4, "cp", verb_cp),
    (5, "build", verb_build), (2, "load", verb_load),
    (8, "start", plain(["start", container], ["start", container, container])),
    (6, "stop", plain(["stop", "-t", "0", container], ["stop", "-t", "1", container], ["stop", "-t", "0", container, container])),
    (6, "kill", plain(["kill", container], ["kill", "-s", "TERM", container], ["kill", "-s", "USR1", container])),
    (6, "restart", plain(["restart", "-t", "0", container])),
    (9, "rm", plain(["rm", "-f", container], ["rm", "-f", container], ["rm", "-fv", container], ["rm", container], ["rm", "-f", container, container])),
    (6, "update", verb_update),
    (3, "stats", plain(["stats", "--no-stream"], ["stats", "--metering"], ["stats", "--no-stream", "-a", container])),
    (3, "rename", plain(["rename", container, container])),
    (5, "pause", plain(["pause", container], ["unpause", container])),
    (3, "logs", plain(["logs", container], ["logs", "--tail", "3", "-t", container])),
    (3, "commit", plain(["commit", container, image])),
    (2, "tag", plain(["tag", image, image], ["tag", "busybox", image], ["tag", image, f"{REGISTRY}/far/own"])),
    (4, "rmi", plain(["rmi", image], ["rmi", "-f", image], ["rmi", "-f", f"{REGISTRY}/far/image"])),
    (4, "pull", plain(["pull", "-q", f"{REGISTRY}/far/image"])),
    (1, "push", plain(["push", "-q", f"{REGISTRY}/far/own"])),
    (1, "save", plain(["save", "-o", f"{state}/scratch/saved", "busybox"])),
    (1, "export", plain(["export", "-o", f"{state}/scratch/exported", container])),
    (3, "volume", plain(["volume", "create", lambda r: r.choice(VOLUMES)], ["volume", "rm", lambda r: r.choice(VOLUMES)], ["volume", "ls"],
                        ["volume", "prune", "-f"])),
    (3, "network", plain(["network", "create", lambda r: r.choice(NETWORKS)], ["network", "rm", lambda r: r.choice(NETWORKS)], ["network", "ls"],
                         ["network", "inspect", lambda r: r.choice(NETWORKS)])),
    (5, "ps", plain(["ps"], ["ps", "-a"], ["ps", "-as"], ["ps", "-aq", "--no-trunc"])),
    (3, "inspect", plain(["inspect", container], ["image", "inspect", image], ["inspect", "-s", container])),
    (2, "look", plain(["images", "-a"], ["info"], ["system", "df"], ["top", container], ["diff", container], ["port", container],
                      ["events", "--since", "10s", "--until", "0s"])),
    (2, "wait", plain(["wait", container], ["wait", "--condition", "healthy", container], ["wait", "--condition", "running", container])),
    (1, "boot", plain(["system", "boot"], ["system", "boot"], ["system", "shutdown"])),
    (2, "prune", plain(["container", "prune", "-f"], ["image", "prune", "-f"], ["builder", "prune", "-f"], ["system", "prune", "-f"])),
    (3, "check", plain(["system", "check"], ["system", "check", "-n"], ["system", "settle"])),
]


# --- killing ---

def process_file(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as f:
            return f.read()
    except OSError:
        return b""


def processes():
    """(pid, words, ours) of whatever lives in this pid namespace and is of this engine: its programs, or what runs in its containers."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        if pid in (1, os.getpid(), registry.pid):
            continue
        words = process_file(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
        status = process_file(pid, "status").decode(errors="replace")
        if not words or re.search(r"^State:\s+[ZX]", status, re.M):
            continue
        found.append((pid, words))
    return found


def victim_pick(r, child):
    kind = r.random()
    if kind < 0.35:
        return "command", child.pid
    every = processes()
    monitors = [p for p, words in every if "tare-monitor" in words.split(" ")[0] or f"run-dir={run_root}" in words]
    programs = [p for p, words in every if words.startswith(f"{state}/bin/")]
    others = [p for p, words in every if p not in monitors and p not in programs]
    for limit, name, candidates in ((0.6, "monitor", monitors), (0.9, "program", programs), (1, "process of a container", others)):
        if kind < limit and candidates:
            return name, r.choice(sorted(candidates))
    return "command", child.pid


def strike(r, child):
    time.sleep(r.choice([0.002, 0.005, 0.01, 0.02, 0.05, 0.2]) * r.random() * 2)
    name, pid = victim_pick(r, child)
    try:
        if name == "command" and r.random() < 0.3:
            name = "group of a command"
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return None
    with lock:
        kills[name] += 1
    return f"{name} {pid}"


# --- rounds ---

def ids_note():
    """What exists for a moment may leave a cgroup: remember its name."""
    for folder in (f"{root}/overlay/roots", f"{root}/erofs/roots", f"{root}/vfs/roots", f"{root}/containers", f"{run_root}/containers"):
        try:
            new = set(os.listdir(folder)) - seen_ids
        except FileNotFoundError:
            continue
        with lock:
            seen_ids.update(new)
            with open(f"{state}/ids", "a") as f:
                f.writelines(f"{name}\n" for name in new if name.startswith("build-") or len(name) == 64)


def stacks(pid):
    lines = []
    for p, words in processes():
        lines.append(f"  {p} {words[:150]}: {process_file(p, 'wchan').decode()} {process_file(p, 'syscall').decode().strip()[:40]}")
    return "\n".join(lines)


def round_run(number):
    r = random.Random(f"{options.seed}:{number}")
    name, make = r.choices([(v[1], v[2]) for v in VERBS], [v[0] for v in VERBS])[0]
    words, data = make(r)
    # what waits for a container that lives on is ended by a signal, after a while
    patience = {"wait": 1, "run attached": 5, "exec": 5}.get(name)
    trace(f"{number} begins: {' '.join(words)[:300]}")
    child = subprocess.Popen([tare, *words], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             errors="replace", start_new_session=True)
    killer = None
    if r.random() * 100 < options.kills:
        def kill():
            trace(f"{number} kills {strike(r, child)}")
        killer = threading.Thread(target=kill)
        killer.start()
    try:
        out, err = child.communicate(data, timeout=patience or HANG)
    except subprocess.TimeoutExpired:
        if not patience:
            problem(f"round {number} hangs: tare {' '.join(words)}\n{stacks(child.pid)}")
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
    if killer:
        killer.join()
    ids_note()
    trace(f"{number} ended: {child.returncode} {err.strip()[-300:]!r}")
    judge(number, name, words, child.returncode, err)


def judge(number, name, words, status, err):
    done[name] += 1
    if status < 0 and status not in (-signal.SIGKILL, -signal.SIGPIPE):
        problem(f"round {number}: tare {' '.join(words)}: signal {-status}: {err[-500:]}")
    if FORBIDDEN.search(err):
        problem(f"round {number}: tare {' '.join(words)}: {status}: {err.strip()[-700:]}")
    elif status > 0:
        kind = re.sub(r"[0-9a-f]{12,64}|\d+|c\d|build-\w+|\"[^\"]*\"", "*", err.strip().split("\n")[-1])
        with lock:
            refusals[f"{name}: {kind[:170]}"] += 1


# --- what may not be left ---

def eventually(look):
    """What is found for longer than it takes to go by itself."""
    for _ in range(100):
        found = look()
        if not found:
            return []
        time.sleep(0.1)
    return found


def left_mounts():
    with open("/proc/mounts") as f:
        return [f"mount: {line.strip()}" for line in f if state in line]


def left_processes():
    return [f"process: {pid} {words[:200]}" for pid, words in processes()]


def left_groups():
    found = []
    for top in ("/sys/fs/cgroup", *(f"/sys/fs/cgroup/{d}" for d in os.listdir("/sys/fs/cgroup"))):
        if os.path.isdir(f"{top}/tare"):
            found += [f"cgroup: {top}/tare/{name}" for name in os.listdir(f"{top}/tare") if name in seen_ids]
    return found


def left_links():
    names = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
    return [f"interface: {name}" for name in re.findall(r"^\d+: ([^:@]+)", names, re.M) if name.startswith("tv")]


def left_rows():
    found = []
    with sqlite3.connect(f"file:{root}/tare.db?mode=ro", uri=True) as db:
        for table in ("containers", "volumes", "container_volumes", "meters", "leases", "ports", "images", "image_names", "image_blobs", "image_layers"):
            for row in db.execute(f"SELECT * FROM {table} LIMIT 3"):
                found.append(f"row of {table}: {str(row)[:150]}")
    db.close()
    return found


def left_files():
    found = []
    for folder in (f"{run_root}/containers", f"{root}/containers", f"{root}/volumes", f"{root}/ingest", f"{root}/blobs/sha256",
                   *(f"{root}/{driver}/{part}" for driver in ("overlay", "erofs", "vfs") for part in ("layers", "roots", "staging", "trash", "unsettled"))):
        if os.path.isdir(folder):
            found += [f"file: {folder}/{name}" for name in os.listdir(folder)]
    found += [f"file: {root}/{name}" for name in os.listdir(root) if name.startswith(".tmp") or ".tmp" in name]
    return found


def check(must_be_clean=False):
    """system check: repairs, and then has nothing to do."""
    first = call("system", "check")
    if "not repaired" in first or (must_be_clean and "Everything is in order" not in first):
        problem(f"system check: {first.strip()}")
    second = call("system", "check")
    if "Everything is in order" not in second:
        problem(f"system check, the second time: {second.strip()}")
    return [line for line in first.split("\n") if line and not line.endswith("repaired") and "in order" not in line]


def look(number):
    """Between two epochs: commands work, and tell the truth about who runs."""
    listed = call("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.State}}")
    for line in listed.splitlines():
        cid, said = line.split()
        got = subprocess.run([tare, "inspect", "-f", "{{.State.Status}} {{.State.Pid}} {{.Config.OpenStdin}}", cid], env=environment, capture_output=True, text=True)
        if got.returncode != 0:
            if "No such" not in got.stderr:  # its --rm has come
                problem(f"after round {number}: inspect {cid}: {got.stderr}")
            continue
        now, pid, _ = got.stdout.split()
        if now == "running" and not process_file(int(pid), "cmdline"):
            time.sleep(0.5)
            again = call("inspect", "-f", "{{.State.Status}} {{.State.Pid}}", cid).split()
            if again[:1] == ["running"] and not process_file(int(again[1]), "cmdline"):
                problem(f"after round {number}: {cid} is said to run as {pid}, and does not")


def remove_all():
    ids = call("ps", "-aq", "--no-trunc").split()
    if ids:
        call("rm", "-fv", *ids)


def finish(number):
    remove_all()
    time.sleep(0.3)
    remove_all()  # what a successor of a killed monitor brought back
    found = eventually(left_processes)
    repaired = check()
    for volume in call("volume", "ls", "-q").split():
        call("volume", "rm", volume)
    for network in call("network", "ls", "--filter", "type=custom", "-q").split():
        call("network", "rm", network)
    call("builder", "prune", "-af")
    call("image", "prune", "-af")
    call("system", "settle")
    check(must_be_clean=True)
    for kind in (left_mounts, left_groups, left_links, left_rows, left_files, left_ports):
        found += eventually(kind)
    for line in found:
        problem(f"after round {number}, left: {line}")
    return repaired


def left_ports():
    text = subprocess.run(["nft", "list", "table", "ip", "tare"], capture_output=True, text=True).stdout
    return [f"nft element: {line.strip()}" for line in text.split("\n") if re.search(r"\b800[0-5]\b", line)]


# --- all of it ---

def prepare():
    call("import", options.image, "busybox")
    call("tag", "busybox", "made0")
    call("tag", "busybox", "tag0")
    call("build", "-q", "-t", f"{REGISTRY}/far/image", "-f", "-", f"{state}/context", data="FROM busybox\nCOPY file /far\n")
    call("push", "-q", f"{REGISTRY}/far/image")
    call("network", "create", "n0")
    call("volume", "create", "v0")
    if not os.path.exists(f"{state}/saved.tar"):
        call("save", "-o", f"{state}/saved.tar", f"{REGISTRY}/far/image")


def epoch(first, last):
    numbers = iter(range(first, last + 1))

    def work():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            round_run(number)
    workers = [threading.Thread(target=work) for _ in range(options.workers)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()


def main():
    global registry
    print(f"seed {options.seed}, {options.rounds} rounds, {options.workers} at a time", flush=True)
    for folder in ("context", "scratch", "docker"):
        os.mkdir(f"{state}/{folder}")
    with open(f"{state}/context/file", "wb") as f:
        f.write(random.Random(options.seed).randbytes(300000))
    registry = subprocess.Popen([tare, "registry", "serve", "--address", "127.0.0.1", "--port", REGISTRY.split(":")[1], "--root", f"{state}/registry"],
                                env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    prepare()
    began = time.monotonic()
    first = 1
    repairs = collections.Counter()
    while first <= options.rounds:
        last = min(first + EPOCH - 1, options.rounds)
        epoch(first, last)
        look(last)
        ending = last == options.rounds or (last // EPOCH) % 2 == 0
        for line in (finish(last) if ending else check()):
            trace(f"check: {line}")
            repairs[re.sub(r"[0-9a-f]{12,64}|\(\w+\)|build-\w+|\d+", "*", line)] += 1
        print(f"{last} rounds, {time.monotonic() - began:.0f} s, {len(problems)} problems", flush=True)
        if ending and last < options.rounds:
            prepare()
        first = last + 1
    registry.kill()
    registry.wait()
    print("verbs:", ", ".join(f"{k} {v}" for k, v in sorted(done.items())))
    print("killed:", ", ".join(f"{k} {v}" for k, v in sorted(kills.items())))
    for title, counter in (("repaired by system check", repairs), ("refused", refusals)):
        print(f"{title}:")
        for text, n in counter.most_common(60):
            print(f"  {n} {text}")
    print(f"seed {options.seed}: {len(problems)} problems")
    if problems:
        keep = f"/tmp/tare-torture-{options.seed}.trace"
        with open(f"{state}/trace") as f, open(keep, "w") as to:
            to.write(f.read())
        print(f"trace: {keep}")
    sys.exit(1 if problems else 0)


main()
