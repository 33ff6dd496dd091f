#!/usr/bin/env python3
"""Writes json_cases.h: texts, and what Python's json.loads makes of them.

    python3 tests/unit/json_cases.py > tests/unit/json_cases.h

Seeds, and seeded mutations of them: bytes changed, doubled, cut out, two texts joined. Kept are as
many that Python refuses as it takes. Values are spelled as src/util/json.c does; a key that stands
twice stands there twice.
"""
import json
import random

SEEDS = r'''
0 | -0 | 12 | -7 | 1.5 | -0.0 | 1e5 | 1E-5 | 2.5e+10 | 1e999 | -1e400 | 4.9e-324 | 0.1 | 1e16
9223372036854775807 | 9223372036854775808 | -9223372036854775808 | -9223372036854775809
123456789012345678901234567890 | 0.30000000000000004 | 1.7976931348623157e308 | 5e-1 | 0e0 | 0E+0
NaN | Infinity | -Infinity | -NaN | nan | +1 | 01 | -01 | 1. | .5 | 1e | 1e+ | - | 0x10 | 1_000 | 1 2
true | false | null | True | None | nul | truex | tru | nulll
"" | "a" | "a\nb" | "\"\\\/\b\f\n\r\t" | "\u0041" | "\u00e9" | "\u00E9" | "\ud83d\ude00" | "\ud800"
"\udc00" | "\ud800\u0041" | "\ud800\ud800\udc00" | "\udc00\ud800" | "\u12" | "\u12g4" | "\x41" | "\
"abc | 'a' | "a" "b" | "é" | "😀" | "\u0000" | "\ud800\ux" | "\ud800\"
[] | [ ] | [1] | [1,2] | [1, 2] | [1,] | [,1] | [1 2] | [ | ] | [[]] | [[],[]] | [[[1]]] | [}
{} | { } | {"a":1} | {"a": 1, "b": [2, {"c": null}]} | {"a":1,"a":2} | {"a":1,} | {,} | {a:1} | {1:2}
{"a"} | {"a":} | {"a" 1} | {"a":1 "b":2} | { | } | {] | {"a":1}} | {"":""} | {"a" : 1}
{"betas": [0.9, 0.999], "lr": 1e-05, "foreach": null, "name": "conv1.weight", "big": 1e400}
[1.0, -2, "x", true, false, null, NaN, {"k": [{}]}] | // c | [1] // c | /* c */ 1
'''


def spelled(v):
    if isinstance(v, tuple) and v and v[0] is PAIRS:
        return "{" + ", ".join(spelled(k) + ": " + spelled(x) for k, x in v[1]) + "}"
    if isinstance(v, list):
        return "[" + ", ".join(map(spelled, v)) + "]"
    text = json.dumps(v, ensure_ascii=False)
    return "".join("\\u%04x" % ord(c) if 0xD800 <= ord(c) < 0xE000 else c for c in text)


PAIRS = object()


def judged(b):
    try:
        text = b.decode("utf-8")
        return spelled(json.loads(text, object_pairs_hook=lambda p: (PAIRS, p)))
    except (ValueError, RecursionError):
        return None


def literal(b):
    out, hexed = "", False
    for c in b:
        if c in b'"\\':
            out, hexed = out + "\\" + chr(c), False
        elif 0x20 <= c < 0x7F and c != 0x3F and not (hexed and chr(c) in "0123456789abcdefABCDEF"):
            out, hexed = out + chr(c), False
        else:
            out, hexed = out + "\\%03o" % c, False
    return '"' + out + '"'


def mutated(rnd, seeds):
    b = bytearray(rnd.choice(seeds))
    for _ in range(rnd.randint(1, 3)):
        how, at = rnd.randint(0, 5), rnd.randint(0, len(b))
        if how == 0:
            b[at:at + 1] = bytes([rnd.choice(b'{}[]",:\\u0-+eE. \n\t\r/xNI\x00\x1f\x7f\xc3\xed\xff')])
        elif how == 1:
            del b[at:at + rnd.randint(1, 3)]
        elif how == 2:
            b[at:at] = b[at:at + rnd.randint(1, 4)]
        elif how == 3:
            b[at:at] = rnd.choice([b" ", b"\n", b"\r\n\t", b"\x0b", b"\xef\xbb\xbf", b"\xc2\xa0"])
        elif how == 4:
            b = bytearray(b"[" + b + b"," + rnd.choice(seeds) + b"]")
        else:
            b = bytearray(b'{"k": ' + b + b"}")
    return bytes(b)


def main():
    seeds = [s.strip().encode() for s in SEEDS.replace("\n", " | ").split(" | ") if s.strip()]
    raw = [b"", b" ", b'"\xed\xa0\x80"', b'"\xff"', b'"\xc0\xaf"', b'"\xf4\x90\x80\x80"', b'"a\tb"',
           b"\xef\xbb\xbf1", b"1\x00", b'"a\x7fb"', b'"\xe2\x80\xa8"']
    cases = {b: judged(b) for b in seeds + raw}
    rnd, left = random.Random(4), {True: 120, False: 120}
    while any(left.values()):
        b = mutated(rnd, seeds)
        want = judged(b)
        if len(b) > 90 or b in cases or not left[want is None]:
            continue
        left[want is None] -= 1
        cases[b] = want
    print("/* Made by json_cases.py: texts, and what Python's json.loads makes of them (NULL: refused). */")
    print("/* clang-format off */")
    for b, want in cases.items():
        said = "NULL" if want is None else literal(want.encode())
        print("{STR(%s), %s}," % (literal(b), said))


main()
