"""Kills and fails every call of the commands that edit a checkpoint, and of what follows a kill.

    commands.py [--long] PROGRAM FAULTY DATA WAY=FOLDER... [PART...]

FAULTY is pthfs built with FAULTS=1, PROGRAM the ordinary one, DATA tests/data. WAY is how the file
system of FOLDER lets a new file be made: clone (blocks are shared) or copy; on copy, commands are
also made to change the file in place. Without --long a sample is taken. PART, none for all of them:

    faults    each call that changes something: killed, failed in each way, short
    torn      killed in the middle of small writes to the file itself
    memory    each allocation of the process fails
    compound  killed; then what is done next is killed, or fails, at each of its calls
    mounts    a mount that is edited and unmounted (mounts.py)
    witness   strace instead of the fault layer, on PROGRAM
    controls  what must be caught

Afterwards the checkpoint is the old one or the new one, whole, with its mode and attributes: at
once, or, in place, after the next command that writes, and until then that is what readers are
shown. A command that says 0 has made it new; one that says 2 tells why in a sentence, and where
edits waited in a journal they still do. After the next command nothing is left but the checkpoint.
Closes with "crash-commands: N passed, N failed, N skipped".
"""
import argparse
import collections
import concurrent.futures
import itertools
import os
import re
import shutil
import subprocess
import sys
import time

import mounts
from enumerate import CHANGES, CHANGING, HARMLESS, specs
from scene import JOURNAL, Scene, npy, read

# errors with the new file there
IN_PLACE = b"the new file is in place, but", b"is finished now, but", b"finished a commit in place"
HALF = b"half written"  # an error whose file is put right by the next command
# what a command that finds something left behind says before it goes on
NOTICES = re.compile(rb"pthfs: (removed \d+ temporary|took up \d+ edit|finished a commit in place|the last .* of the "
                     rb"journal were not complete).*\n")
TWICE = ("kill", "eio", "short", "oom")  # what happens to the command that follows a kill
PROBE = "set", "CK", "best_acc", "0.5"  # another command that writes
PARTS = "faults", "torn", "memory", "compound", "mounts", "witness", "controls"
# name: (what it does to a zip, to a legacy stream); in place it is also given --inplace
COMMANDS = {
    "strip": (["rename", "--strip", "module", "CK"], ["rename", "--strip", "conv", "CK"]),
    "add": (["rename", "--add", "a.longer.prefix", "CK"],) * 2,
    "set": (["set", "CK", "epoch", "1313"],) * 2,
    "npy": (["set", "CK", "model/module.conv2.weight", "--npy", "NPY"], ["set", "CK", "model/big", "--npy", "NPY"]),
    "rm": (["rm", "CK", "optimizer/**", "arch"],) * 2,
    "compact": (["set", "CK", "epoch", "7", "--compact"],) * 2,
}
Job = collections.namedtuple("Job", "part kind way name inplace folder")


class Tally(collections.Counter):
    def add(self, label, wrong):
        self["failed" if wrong else "passed"] += 1
        for w in wrong:
            print(f"# {label}: {w}", flush=True)


# --- judging ---------------------------------------------------------------------------------------


def judge(scene, done, killed):
    """What is wrong after a run, in words; nothing when it is fine."""
    state, left = scene.state(), scene.left()
    half = scene.inplace and (killed or HALF in done.stderr) and left.journals
    if state not in ("old", "new") and not half:
        yield f"the file is {state}"
    if half and scene.contents() not in scene.shows.values():
        yield f"the file is {state}, and a reader is shown neither the old nor the new one"
    if left.others or left.journals > 1 or left.temporaries > 1:
        yield f"left behind: {os.listdir(scene.at)}"
    if killed:
        if done.returncode not in (-9, 137):
            yield f"not killed: exit {done.returncode}"
        return
    if done.returncode not in (0, 2):
        yield f"exit {done.returncode}: {done.stderr[-2000:].decode(errors='replace')}"
    # a temporary that was there already may stay when it cannot be removed
    if done.returncode == 0 and (state != "new" or left.journals or left.temporaries > scene.stale):
        yield f"says it is done, but the file is {state}, and there are {os.listdir(scene.at)}"
    if done.returncode == 2:
        yield from judge_error(scene, done, state, left)


def judge_error(scene, done, state, left):
    text = NOTICES.sub(b"", done.stderr)
    if text == 2 * b"pthfs: out of memory\n":  # also for the notice
        return
    if text.count(b"\n") != 1 or not text.startswith(b"pthfs: ") or len(text) < 40 and b"out of memory" not in text:
        yield f"no proper sentence: {text!r}"
    if state != "old" and not scene.was_new and not any(x in done.stderr for x in (*IN_PLACE, HALF)):
        yield f"says it failed, but the file is {state}: {text!r}"
    if scene.waiting and not left.journals and state != "new":
        yield f"the edits are gone: {text!r}"


def aftermath(scene, done, turn, lasting):
    """The next command, of several by turns, and that all is well then. scene.final: what it is."""
    before, half = scene.state(), HALF in done.stderr
    scene.final = before
    if scene.waiting:
        yield from take_up(scene, turn)
        return
    if scene.alone() and before in ("old", "new"):
        return
    probe = bool(turn % 2)
    after = scene.command(PROBE if probe else ["recover", "CK"])
    if after.returncode != 0:
        yield f"the next command failed: {after.stderr!r}"
    scene.final = scene.probed() if probe else scene.state()
    if scene.final not in ("old", "new") or not scene.alone():
        yield f"after the next command the file is {scene.final}, and there are {os.listdir(scene.at)}"
    if before == "new" and scene.final != "new":
        yield f"it was new and is {scene.final}"
    # a patch list that could be written but not synced is cut off again; where that fails, too, it counts
    if done.returncode == 2 and before == "old" and not half and scene.final != "old" and not lasting:
        yield f"says it failed, but later the file is {scene.final}"
    if done.returncode == 2 and half and scene.final != "new":
        yield f"says that it will be finished, but the file is {scene.final}"
    if scene.final == "old" and not probe:
        again = scene.run()
        if again.returncode != 0 or scene.state() != "new":
            yield f"the same command failed then: {again.stderr!r}"


def take_up(scene, turn):
    """Edits wait in a journal: recover leaves them there, the next commit writes them."""
    if turn % 2:
        after = scene.command(["recover", "CK"])
        if after.returncode != 0 or scene.state() not in ("old", "new") or scene.left().temporaries:
            yield f"recover: the file is {scene.state()}, there are {os.listdir(scene.at)}, {after.stderr!r}"
    if turn % 3 == 0 and scene.state() == "old" and scene.command(["status", "CK"]).returncode != 1:
        yield "status knows nothing of the edits"
    after = scene.run()
    scene.final = scene.state()
    if after.returncode != 0 or scene.final != "new" or not scene.alone():
        yield f"after the next commit the file is {scene.state()}, there are {os.listdir(scene.at)}, {after.stderr!r}"


# --- the parts -------------------------------------------------------------------------------------


def strike(scene, tally, label, names, long):
    """Every fault at every call. Not long: the kinds that are alike take turns."""
    for i, (fault, kind, hit, on) in enumerate(specs(names, True)):
        if not long and kind in ("edquot", "exdev") and (i // 2) % 4:
            continue
        scene.fresh()
        done = scene.run(fault)
        killed, struck = kind == "kill", scene.calls()[1]
        wrong = list(judge(scene, done, killed))
        if not killed and not struck and kind != "short":
            wrong.append("the fault never struck")
        harmless = HARMLESS.get(kind, set()) | ({"unlinkat"} if kind == "eintr" else set())
        if hit[0] in harmless and (not on or kind == "short") and done.returncode:
            wrong.append(f"this should do no harm, but: {done.stderr!r}")
        if not on and not killed and scene.left().temporaries and hit != ["unlinkat"]:
            wrong.append("a temporary is left though nobody was killed")
        wrong += aftermath(scene, done, i, on)
        tally.add(f"{label} {fault} ({hit[0]})", wrong)


def torn(scene, tally, label, names, long):
    """Writes that move few bytes, then the end: within a pickle, a directory, a tensor."""
    for size in (997, 61) if long else (997,):
        small = f"short:{size}@1+"
        scene.fresh()
        scene.run(small)
        calls = scene.calls()[0]
        at = [i + 1 for i, name in enumerate(calls) if name == "pwrite"]
        for turn, n in enumerate(at[::len(at) // (400 if long else 60) + 1]):
            kind = ("kill", "kill", "enospc")[turn % 3]
            scene.fresh()
            done = scene.run(f"{small},{kind}@{n}" + ("+" if kind == "enospc" else ""))
            wrong = list(judge(scene, done, kind == "kill"))
            wrong += aftermath(scene, done, turn, True)
            tally.add(f"{label} {small},{kind}@{n}", wrong)


def memory(scene, tally, label, names, long):
    """Every allocation fails, once or from then on. Not long: some forty of them."""
    scene.fresh()
    scene.run()
    n = scene.allocations()
    step = 1 if long else n // 40 + 1
    for turn, at in enumerate(range(1, n + 1, step)):
        for on in ("", "+") if long else "+" * (turn % 2) or [""]:
            scene.fresh()
            done = scene.run(f"nomem@{at}{on}")
            wrong = list(judge(scene, done, False))
            if not scene.calls()[1] and at < n - 4 - n // 20:  # the last ones do not always come (threads)
                wrong.append("the fault never struck")
            wrong += aftermath(scene, done, turn, bool(on))
            tally.add(f"{label} nomem@{at}{on}", wrong)


def compound(scene, tally, label, names, long):
    """Every state that a kill leaves; then the next command is killed, or fails, at each of its calls."""
    for n in range(1, len(names) + 1):
        scene.fresh()
        scene.run(f"kill@{n}")
        if scene.alone() and scene.state() in ("old", "new"):
            continue
        saved, next_one = scene.save(), scene.args if scene.waiting else ["recover", "CK"]
        scene.command(next_one)
        calls, wanted = scene.calls()[0] or [], scene.state()
        for i, (fault, kind, _, on) in enumerate(specs(calls, True)):
            mine = int(fault[5:]) + n if kind == "kill" else i + n
            if kind not in TWICE or not long and mine % (2 if kind == "kill" else 16):
                continue
            scene.restore(saved)
            scene.was_new, scene.stale = scene.state() == "new", scene.left().temporaries
            done = scene.command(next_one, fault)
            wrong = [w for w in judge(scene, done, kind == "kill")
                     if scene.waiting or not w.startswith(("says it is done", "says it failed"))]
            wrong += aftermath(scene, done, i, True)
            if scene.final != wanted:
                wrong.append(f"the file is {scene.final}, not {wanted}")
            tally.add(f"{label} kill@{n}, then {fault}{' and on' if on else ''}", wrong)


def controls(scene, tally, label, names):
    """What must be caught, or none of this proves anything."""
    caught = collections.Counter()
    for n in range(1, len(names) + 1):
        scene.fresh()
        done = scene.run(f"kill@{n}")
        if scene.left().journals:
            os.unlink(scene.file + JOURNAL)
            caught["the journal deleted before the recovery"] += any(judge(scene, done, True))
    scene.fresh()
    done = scene.run(program="/bin/true")
    caught["a command that does nothing and says 0"] += any(judge(scene, done, False))
    os.truncate(scene.file, 1000)
    done.returncode, done.stderr = 2, b"pthfs: ck: something happened to the file, and that is all\n"
    caught["a command that leaves half of the file"] += any(judge(scene, done, False))
    scene.fresh()
    done.stderr = b"failed\n"
    caught["a command that does not say why"] += any(judge(scene, done, False))
    for what, n in caught.items():
        print(f"# {label}: {what}: caught at {n} points", flush=True)
        tally.add(what, [] if n else ["not caught"])


# --- from outside ----------------------------------------------------------------------------------


def changes(name, line):
    """Is it a call that sys.h is for?"""
    if name == "ioctl":
        return "FICLONE" in line
    return name in CHANGING and (name != "openat" or "O_CREAT" in line)


def trace(scene):
    """[(syscall, its ordinal, line)] from where the checkpoint is opened to the end."""
    out = os.path.join(scene.folder, "trace")
    scene.fresh()
    scene.run(wrap=("strace", "-f", "-qq", "-o", out, "-e", "trace=desc,file"))
    seen, events, begun = collections.Counter(), [], False
    for line in read(out).decode(errors="replace").splitlines():
        m = re.match(r"\d+\s+(\w+)\(", line)
        if not m:
            continue
        seen[m[1]] += 1
        begun = begun or scene.file in line and m[1] == "openat"
        if begun and m[1] != "fadvise64" and not re.search(r" write\([12],", line):
            events.append((m[1], seen[m[1]], line.strip()))
    return events


def witness(scene, tally, label, names, program, inject):
    """strace makes calls of the ordinary program fail: a mistake in the fault layer hides nothing. Calls
    that go past sys.h show in all commands; they fail in few, or (long) in all."""
    scene.program, out = program, os.path.join(scene.folder, "trace")
    events = trace(scene)
    really = [CHANGES.get(n, n) for n, _, line in events if changes(n, line)]
    counted = [x for x in names if x not in ("malloc", "close")]
    tally.add(f"{label} by strace", [] if really == counted else [f"sys.h counted {counted}, strace saw {really}"])
    for turn, (name, ordinal, line) in enumerate(events if inject else []):
        for what in ("signal=KILL", "error=EIO", "error=ENOSPC"):
            if what != "error=EIO" and not changes(name, line):
                continue
            scene.fresh()
            done = scene.run(wrap=("strace", "-f", "-qq", "-o", out, "-e", f"trace={name}",
                                   "-e", f"inject={name}:{what}:when={ordinal}"))
            text = read(out)
            wrong = [] if b"INJECTED" in text or b"killed by" in text else ["strace injected nothing"]
            wrong += judge(scene, done, "KILL" in what)
            wrong += aftermath(scene, done, turn, False)
            tally.add(f"{label} {what} {line}", wrong)


# --- all of it -------------------------------------------------------------------------------------


def make(job, o, old):
    if job.name == "mount":
        return mounts.MountScene(job.folder, o.faulty, old, job.kind, job.inplace)
    if job.name == "commit":
        words = ["commit", "CK"]
    else:
        words = [f"{job.folder}/new.npy" if x == "NPY" else x for x in COMMANDS[job.name][job.kind == "legacy"]]
        with open(f"{job.folder}/new.npy", "wb") as f:
            f.write(npy(*((16, 288) if job.kind == "zip" else (250, 300)), 2))
    scene = Scene(job.folder, o.faulty, old, words + ["--inplace"] * job.inplace, job.inplace)
    if job.name == "commit":
        mounts.leave_edits(scene, job.kind)
    return scene


def work(job, o, old):
    """One job, in a process of its own."""
    begun, tally = time.monotonic(), Tally()
    label = f"{job.part} {job.name} {job.kind} {'inplace' if job.inplace else job.way}"
    os.mkdir(job.folder)
    scene = make(job, o, old)
    names, said = scene.learn()
    if not scene.waiting:
        scene.learn_probe(PROBE)
    if job.way == "clone" and job.kind == "zip" and job.name != "compact" and b"(cloned" not in said:
        tally.add(label, [f"it was not cloned: {said!r}"])
    if job.part == "witness":
        witness(scene, tally, label, names, o.program, o.long or job.name == "strip")
    elif job.part == "controls":
        controls(scene, tally, label, names)
    else:
        parts = {"faults": strike, "torn": torn, "memory": memory, "compound": compound, "mounts": mounts.strike}
        if job.name == "mount" and job.part == "memory":
            parts["memory"] = mounts.memory
        parts[job.part](scene, tally, label, names, o.long)
    shutil.rmtree(job.folder)
    print(f"# {label}: {tally['passed']} of {tally.total()}, {len(names)} calls, "
          f"{time.monotonic() - begun:.1f} s", flush=True)
    return tally


def jobs(o):
    for part, way, kind in itertools.product(o.parts, o.ways, ("zip", "legacy")):
        few = {"torn": ["strip", "add", "npy", "rm"], "compound": ["strip", "commit"], "mounts": ["mount"], "controls": ["strip"]}
        if way == "clone":
            few |= {"faults": ["strip", "npy", "rm", "commit"], "compound": ["strip"], "witness": ["strip"]}
        names = few[part] if part in few and not (o.long and part in ("faults", "torn", "compound", "witness")) else \
            [*COMMANDS, "commit"] + ["mount"] * (part == "memory")
        for name, inplace in itertools.product(names, (False, True)):
            if name in ("commit", "mount") and not mounts.can() or inplace and way != "copy":
                continue
            if part in ("memory", "torn") and way != "copy" or part == "torn" and not inplace:
                continue
            if part == "controls" and (not inplace or kind != "zip"):
                continue
            yield Job(part, kind, way, name, inplace, f"{o.ways[way]}/{part}-{kind}-{name}{'-inplace' * inplace}")


def old_files(o):
    """A zip, and a legacy stream with a tensor of several pages."""
    folder = next(iter(o.ways.values()))
    stream, big = f"{folder}/legacy.pth", f"{folder}/big.npy"
    with open(big, "wb") as f:
        f.write(npy(250, 300, 1))
    subprocess.run([o.program, "set", "--output", stream, f"{o.data}/good-legacy-checkpoint.pth.tar", "model/big",
                    "--npy", big], check=True, capture_output=True)
    return {"zip": read(f"{o.data}/demo.pth"), "legacy": read(stream)}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--long", action="store_true")
    for name in ("program", "faulty", "data"):
        p.add_argument(name, type=os.path.abspath)
    p.add_argument("words", nargs="+", metavar="WAY=FOLDER|PART")
    o = p.parse_args()
    o.ways = dict(w.split("=") for w in o.words if "=" in w)
    o.parts = [w for w in o.words if "=" not in w] or list(PARTS)
    old, tally = old_files(o), Tally()
    if "witness" in o.parts and not shutil.which("strace"):
        o.parts.remove("witness")
        tally["skipped"] += 1
    for way, why in (("clone", "root, a loop device and mkfs.btrfs"),):
        if not o.ways.get(way):
            print(f"# nothing is cloned: {why} are needed")
            tally["skipped"] += 1
    if not mounts.can():
        print("# no edits are left by a mount: /dev/fuse is needed")
        tally["skipped"] += 1
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(work, job, o, old[job.kind]) for job in jobs(o)]:
            tally.update(done.result())
    print(f"crash-commands: {tally['passed']} passed, {tally['failed']} failed, {tally['skipped']} skipped")
    return 1 if tally["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
