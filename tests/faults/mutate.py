"""Files of a run as somebody may have changed them: seeded, each by real bytes."""

import io
import json
import random
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_DEEP, _LONG = 900, "9" * 400
# JSON texts of values that a key may get, in place of its own
VALUES = (
    "null", "true", '""', "0", "-1", "1e308", "-1e39", "1e39", "5e-324", "1e999", "NaN",
    "-Infinity", _LONG, "18446744073709551615", "-9223372036854775808", "1000000000000", "0.5",
    "[]", "{}", "[[]]", "[null]", '[1, {"a": 1}]', '{"a": {"b": [1]}}', '{"name": 3}', '["a"]',
    "[" * _DEEP + "]" * _DEEP, '{"a":' * 3000 + "1" + "}" * 3000,
    json.dumps("x" * 100_000), '"~nobody/x"', '"/dev/zero"', '"../../outside/owned"', '"\\ud800"',
    '"\\u202e\\u001b[31m"', '"<script>alert(1)</script>"', '"a\\nb|c"', '"${oc.env:HOME}"', '"1e5"',
    '"NaN"', '"Infinity"', '"[bold]x[/bold]"', '"-m"', '"a,b=c"', '"\\u0000"', '" "', '"."',
)  # fmt: skip
TARGETS = ("run.json", "run.json", "run.json", "result.json", "result.json", "metrics.jsonl",
           "predictions.npz", "predictions.npz", "ledger.jsonl", "multirun.yaml")  # fmt: skip
_OF_SWEEP = TARGETS[-2:]


def mutate(run: Path, draw: random.Random) -> str:
    """Change one file of a run, or of its sweep; what was done, in words."""
    there = [name for name in TARGETS if (run / name).exists() or name in _OF_SWEEP]
    name = draw.choice([*there, "error.txt"])
    path = run / name if name not in _OF_SWEEP else run.parent / name
    if name.endswith(".json"):
        return f"{name}: {_json(path, draw)}"
    if name.endswith(".jsonl"):
        return f"{name}: {_lines(path, draw)}"
    if name.endswith(".npz"):
        return f"{name}: {_npz(path, draw)}"
    if name.endswith(".yaml"):
        return f"{name}: {_yaml(path, draw)}"
    content = draw.choice([b"", b"\0" * 5000, b"\xff\xfe\x1b[31m\n", b"x" * 3_000_000, b"\n\n"])
    (run / "result.json").unlink(missing_ok=True)
    path.write_bytes(content)
    return f"{name}: {content[:20]!r}"


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _places(value[key], (*place, key))


def _json(path: Path, draw: random.Random) -> str:
    values = json.loads(path.read_text())
    values.pop("crc32", None)
    kind = draw.choice(["value"] * 8 + ["missing", "more", "twice", "bytes"])
    place = draw.choice(list(_places(values)))
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    text, old = draw.choice(VALUES), inner[place[-1]]
    if kind == "missing":
        del inner[place[-1]]
    elif kind == "more" and isinstance(inner, dict):
        inner[draw.choice(["", "a.b", "odd", "model", "\u202e"])] = "<here>"
    elif kind == "twice" and isinstance(inner, dict):
        text = f"{json.dumps(old)}, {json.dumps(place[-1])}: {text}"
        inner[place[-1]] = "<here>"
    else:
        inner[place[-1]] = "<here>"
    content = json.dumps(values).replace('"<here>"', text).encode()
    if kind == "bytes":
        content = draw.choice([b"\xef\xbb\xbf" + content, content.decode().encode("utf-16"),
                               content.replace(b"model", b"mod\xff"), content[: len(content) // 2],
                               b"", b"\0" * 100])  # fmt: skip
    path.write_bytes(content)
    return f"{kind} {'/'.join(map(str, place))} {text[:50]}"


def _lines(path: Path, draw: random.Random) -> str:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    row = draw.choice(rows)
    row.pop("crc32", None)
    key, text = draw.choice([*row, "odd"]), draw.choice(VALUES)
    row[key] = "<here>"
    lines = [json.dumps(r).replace('"<here>"', text) for r in rows]
    if draw.random() < 0.2:
        lines.insert(0, draw.choice(VALUES))
    path.write_text("\n".join(lines) + draw.choice(["\n", ""]))
    return f"{key} {text[:50]}"


def _npz(path: Path, draw: random.Random) -> str:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    name = draw.choice(["label", "prediction"])
    like = arrays[name]
    odd: dict[str, Any] = {
        "empty": like[:0], "short": like[:-1], "a number": np.float64(3), "nan": like * np.nan,
        "negative": like.astype(np.int64) - 10, "large": like.astype(np.int64) + 10**12,
        "bytes": like.astype("S"), "complex": like * 1j, "two axes": like[:, None],
        "bool": like > 3, "dates": like.astype("datetime64[s]"), "floats": like / 3,
        "eleven": like + 1, "huge": like.astype(np.float64) * 1e307,
        "objects": np.array([None] * len(like)),
    }  # fmt: skip
    kind = draw.choice(["declared", "shape", "gone", "bits", *odd, *odd])
    if kind in odd:
        arrays[name] = odd[kind]
        if draw.random() < 0.5 and kind not in ("short", "eleven"):
            arrays = dict.fromkeys(["label", "prediction"], odd[kind])
        np.savez(path, **arrays)
    elif kind == "gone":
        path.unlink()
    elif kind == "bits":
        content = bytearray(path.read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(bytes(content))
    elif kind == "declared":
        with zipfile.ZipFile(path, "a") as archive:
            archive.filelist[0].file_size = 2**31
            archive.writestr("more", "")
    else:
        head = io.BytesIO()
        about = {"descr": "|u1", "fortran_order": False, "shape": (1 << 40,)}
        np.lib.format.write_array_header_1_0(head, about)
        with zipfile.ZipFile(path, "w") as archive:
            for each in ("label", "prediction"):
                archive.writestr(f"{each}.npy", head.getvalue() + struct.pack("<Q", 1))
    return f"{kind} {name}"


def _yaml(path: Path, draw: random.Random) -> str:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]\n" for i in range(1, 30)
    )
    text = draw.choice([
        bomb + "sampler: *a29\n", "sampler: " + "[" * 5000, "sampler: " + "{a: " * 5000,
        "hydra: {sweeper: {sampler: '${oc.env:HOME}'}}", "hydra: [sampler:]",
        "hydra: {sweeper: {sampler: [1, 2]}}", "hydra: {sweeper: 3} # sampler:",
        "hydra: {sweeper: {sampler: !!python/object:os.x {}}}",
        "sampler: " + "x" * 2_000_000, "\ufeffhydra: {sweeper: {sampler: random}}", "sampler: \0",
        "hydra: {sweeper: {sampler: \"\\e[31m\"}}", "hydra: {sweeper: {sampler: {_target_: 3}}}",
        "sampler: 'open",
    ])  # fmt: skip
    path.write_bytes(text.encode())
    return text[-60:]
