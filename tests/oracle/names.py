"""File names of keys and texts of values, as the manual's tree rules spell them (stdlib only)."""

import json
import re

NAME_MAX = 255
META = ".meta"
HASH_LEN = 16


def key_text(key):
    """Return the text a dict key is named by: itself, or its repr when it is not a string."""
    return key if type(key) is str else repr(key)


def _utf8_ok(raw, at):
    """Return the length of the well-formed UTF-8 character of raw at this place, or 0."""
    for size in (1, 2, 3, 4):
        try:
            raw[at : at + size].decode("utf-8")
            return size if at + size <= len(raw) else 0
        except UnicodeDecodeError:
            continue
    return 0


def escape(text):
    """Percent-encode what a file name cannot hold, byte by byte."""
    if text == "":
        return "%"
    raw = text.encode("utf-8", "surrogatepass")
    if raw in (b".", b".."):
        return "%2E" * len(raw)
    out, at = [], 0
    while at < len(raw):
        byte, size = raw[at], _utf8_ok(raw, at)
        hexes = re.match(rb"%[0-9A-Fa-f]{2}", raw[at : at + 3])
        if size == 0 or byte < 0x20 or byte in (0x2F, 0x7F) or hexes:
            out.append("%%%02X" % byte)
            at += 1
        else:
            out.append(raw[at : at + size].decode("utf-8"))
            at += size
    return "".join(out)


def fnv1a(raw):
    """Return the 64-bit FNV-1a hash as 16 hex digits."""
    value = 0xCBF29CE484222325
    for byte in raw:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return "%016x" % value


def shorten(name):
    """Cut a name whose .meta would be over 255 bytes and end it in `~` and a hash."""
    raw = name.encode("utf-8")
    if len(raw) + len(META) <= NAME_MAX:
        return name
    room = NAME_MAX - len(META) - 1 - HASH_LEN
    head = raw[:room].decode("utf-8", "ignore")
    head = re.sub(r"%[0-9A-F]?$", "", head)
    return head + "~" + fnv1a(raw)


def is_cut(name):
    """Tell whether a name was cut by shorten()."""
    return re.search(r"~[0-9a-f]+$", name) is not None and len(name.encode()) > 200


def same_name(wanted, got):
    """Compare two names; of cut names only the first 200 bytes, since the hash is pthfs's own."""
    if wanted == got:
        return True
    return is_cut(wanted) and is_cut(got) and wanted.encode()[:200] == got.encode()[:200]


def child_names(keys):
    """Return the file names of the keys of one directory, `~2` and so on where two have one spelling."""
    spelled = [shorten(escape(key_text(key))) for key in keys]
    taken, used, names = set(spelled), set(), []
    for name in spelled:
        number, unique = 2, name
        while unique in used:
            unique = "%s~%d" % (name, number)
            if unique in taken:
                unique = name
            number += 1
        used.add(unique)
        taken.add(unique)
        names.append(unique)
    return names


def meta_name(name, siblings):
    """Return the name of a tensor's .meta, with `~` where a real key has that name."""
    meta = name + META
    while meta in siblings:
        meta += "~"
    return meta


def json_text(value):
    """Return the JSON text of a list, as Python's json writes it."""
    return json.dumps(value)


def same_json(one, other):
    """Compare two JSON texts by what they mean (1 and 1.0 differ, NaN equals NaN)."""
    try:
        return json.dumps(json.loads(one)) == json.dumps(json.loads(other))
    except ValueError:
        return False


def same_set(one, other):
    """Compare two JSON lists whatever their order."""
    try:
        lists = [sorted(json.dumps(item) for item in json.loads(text)) for text in (one, other)]
    except (ValueError, TypeError):
        return False
    return lists[0] == lists[1]
