"""What the tests of saving share: a folder to work in, the program, and how torch and zip tools judge what it wrote."""

import json
import pathlib
import pickle
import re
import shutil
import subprocess
import zipfile

import exact
import torch
import walk

UNZIP = shutil.which("unzip")
NEW = torch.__version__ >= "2"


class Tally:
    """Counts what is so and what is not."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def judge(self, label, wrong):
        """Count one case: wrong is a list of sentences."""
        for sentence in wrong[:6]:
            print("%s: %s" % (label, sentence))
        self.passed, self.failed = self.passed + (not wrong), self.failed + bool(wrong)

    def skip(self, label, why):
        """Count one case that cannot be judged here."""
        print("%s: skipped: %s" % (label, why))
        self.skipped += 1


class Bench:
    """A directory to work in, and the program."""

    def __init__(self, pthfs, folder):
        self.pthfs, self.folder, self.tally, self.number = pthfs, pathlib.Path(folder), Tally(), 0

    def fresh(self, name):
        """Return a path that is not there yet, with this last part: torch writes the stem into the file."""
        self.number += 1
        folder = self.folder / str(self.number)
        folder.mkdir()
        return folder / name

    def copy(self, original):
        """Return a copy of a checkpoint, to be edited."""
        return pathlib.Path(shutil.copy(original, self.fresh(pathlib.Path(original).name)))

    def save(self, thing, name, legacy=False):
        """Write something with this torch, or as a plain pickle (NAME.p0 to .p5, by its protocol)."""
        path = self.fresh(name)
        if re.fullmatch(r"\.p\d", path.suffix):
            path.write_bytes(pickle.dumps(thing, int(path.suffix[2])))
        else:
            torch.save(thing, str(path), _use_new_zipfile_serialization=not legacy)
        return path

    def rebuilt(self, thing, like):
        """Return something as it is when it was saved and loaded as another file was."""
        if not zipfile.is_zipfile(like):
            try:
                return walk.load(str(self.save(thing, like.name, legacy=True)))
            except AttributeError:
                pass  # torch 2.13 does not read the legacy streams that it writes of some dtypes
        return walk.load(str(self.save(thing, like.name)))

    def run(self, *words, text=None):
        """Run pthfs; return exit code, what it printed, and its one sentence of error."""
        done = subprocess.run([self.pthfs, *map(str, words)], input=text or b"", capture_output=True, timeout=120)
        return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip()

    def works(self, *words, text=None):
        """Run pthfs; return what is wrong when it does not exit with 0."""
        code, _, err = self.run(*words, text=text)
        return ["%s: exit %s: %s" % (" ".join(map(str, words[:1] + words[2:])), code, err)] if code else []

    def findings(self, path):
        """Return what `pthfs info` finds in a checkpoint, without places."""
        code, out, err = self.run("info", "--json", path)
        if code:
            return ["info: exit %s: %s" % (code, err)]
        return [re.sub(r"\d+", "N", json.dumps(finding)) for finding in json.loads(out)["findings"]]

    def entries(self, path):
        """Return what `pthfs ls` lists."""
        code, out, err = self.run("ls", "--json", path)
        if code:
            raise RuntimeError("%s: ls: exit %s: %s" % (path, code, err))
        return json.loads(out)["entries"]

    def sound(self, path, original):
        """Return what zip tools and `pthfs info` find in a result and not in the original."""
        known = set(self.findings(original))
        wrong = [finding for finding in self.findings(path) if finding not in known]
        if not zip_faults(original):
            wrong += zip_faults(path)
        return wrong

    def equal(self, path, original, expected=None):
        """Return in what a result differs from its original, or from a function of what that holds."""
        wrong = self.sound(path, original)
        none, why = True, ""
        for way, load in ways(original):
            try:
                old = load(str(original))
            except Exception as error:
                getattr(torch._utils, "_sparse_tensors_to_validate", []).clear()  # 1.13 would look at them in the next load
                why = why or "%s: %.200s" % (type(error).__name__, error)
                continue
            none = False
            try:
                new = load(str(path))
            except Exception as error:
                wrong.append("%s: torch does not load it any more: %s: %.200s" % (way, type(error).__name__, error))
                continue
            wanted = old if expected is None else expected(old)
            wrong += ["%s: %s" % (way, one) for one in exact.differences(wanted, new)]
        return wrong + ["torch does not load the original: " + why] * none


def zip_faults(path):
    """Return what zip tools say against a file; nothing when it is no zip."""
    if not zipfile.is_zipfile(path):
        return []
    wrong = []
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
        wrong += ["zipfile: %s is damaged" % bad] if bad else []
    except Exception as error:
        wrong.append("zipfile: %s" % error)
    if UNZIP:
        done = subprocess.run([UNZIP, "-tqq", path], capture_output=True)
        if done.returncode:
            wrong.append("unzip -t: exit %d: %.200r" % (done.returncode, done.stdout + done.stderr))
    return wrong


def ways(path):
    """Return (name, function) for every way in which a file may be loaded."""
    out = [("torch %s" % torch.__version__, walk.load)]
    if not path.name.endswith(".pkl") and not re.search(r"\.p\d$", path.name):
        out.append(("weights_only=True", lambda name: torch.load(name, weights_only=True)))
    if NEW and zipfile.is_zipfile(path) and not is_deflated(path):
        out.append(("mmap=True", lambda name: torch.load(name, weights_only=False, mmap=True)))
    return out


def is_deflated(path):
    """Tell whether a record is deflated: mmap=True maps it as it is, and shows rubbish."""
    with zipfile.ZipFile(path) as archive:
        return any(info.compress_type for info in archive.infolist())


def short(path):
    """Return how a checkpoint is called in what is printed."""
    return pathlib.Path(path).name


def loads(path):
    """Tell whether this torch loads a checkpoint."""
    try:
        walk.load(str(path))
        return True
    except Exception:
        return False


class Untouched:
    """Looks after a file that no command may change."""

    def __init__(self, path):
        self.path, self.bytes, self.stat = path, path.read_bytes(), path.stat()

    def wrong(self, what):
        """Return what happened to the file, and anything beside it."""
        now = self.path.stat()
        out = []
        if now.st_size != self.stat.st_size or self.path.read_bytes() != self.bytes:
            out.append("%s changes its bytes" % what)
            self.path.write_bytes(self.bytes)
        elif (now.st_ino, now.st_mtime_ns) != (self.stat.st_ino, self.stat.st_mtime_ns):
            out.append("%s writes it anew" % what)
        self.stat = self.path.stat()
        beside = [entry.name for entry in self.path.parent.iterdir() if entry != self.path]
        return out + ["%s leaves %s behind" % (what, name) for name in beside]


def one_sentence(code, err, path):
    """Return what is wrong with a refusal."""
    if code != 2:
        return ["exit %s, not 2: %s" % (code, err[:300])]
    if len(err.splitlines()) != 1 or path.name not in err:
        return ["not one sentence that names the file: %.300r" % err]
    return []


def first_difference(one, two):
    """Return the first byte in which two differ."""
    return next((at for at, (x, y) in enumerate(zip(one, two)) if x != y), min(len(one), len(two)))
