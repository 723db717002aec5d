"""What the fuzz tests draw from: all keys and options of conf/, hostile values, tiny runs."""

import functools
import json
import os
import struct
import tarfile
import typing
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from pydantic import BaseModel

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.hydra_errors import defaults
from mnist_seq.config.messages import known_keys
from mnist_seq.config.paths import conf_dir, groups, options
from mnist_seq.config.schema import CHOSEN, Sweep, Training, schemas
from mnist_seq.notebook import LoadedRun, compose, train_run
from mnist_seq.runs.commands import quoted
from mnist_seq.tasks import Located, remember, task_of
from mnist_seq.tasks.sources import published as sources
from mnist_seq.training.preflight.kernel import with_kernel
from mnist_seq.training.preflight.task import num_steps

DEEP = settings().max_examples > 100


def examples(default: int) -> int:
    """So many, or as many as the profile says."""
    return settings().max_examples if DEEP else default


# 64 images, four steps
TINY = {
    "data": "mnist_5k", "data.limit": "64", "data.valid": "50", "model.hidden": "4",
    "tracker": "none", "training.epochs": "1", "training.batch_size": "16",
    "training.eval_batch_size": "500",
}  # fmt: skip
NUMBERS = [
    0, -1, 1, 2, 3, 1.5, -0.0, 0.5, 1e-308, 1e-30, 1e29, 1e31, 1e308, -1e308, float("nan"),
    float("inf"), float("-inf"), 64, 100, 513, 10**6, 10**12, 10**12 + 1, 2**63 - 1, 2**63, 10**40,
]  # fmt: skip
TEXTS = [
    "", " ", "x", "0", "1.0", "none", "auto", "Infinity", "NaN", "é", "e\u0301", "\u202edlrow",
    "\U0001f469\u200d\U0001f52c", "\x1b[31m", "a\nb", "\x00", "a/b", "..", "../../x", "/etc/passwd",
    "x" * 300, "[red]x", "<b>", "'", '"', "\\", "$(id)", "=1+1", "-x", "a,b", "a=b", "lstm-64",
    "gru-0", "lstm-999999999999", "os.system",
]  # fmt: skip
HOSTILE: list[Any] = [
    *NUMBERS, *TEXTS, True, False, None, [], [0], [0.9, 0.9], ["a"], [[1]], [None], {}, {"a": 1},
    {"_target_": "os.system"}, {"name": "gru"},
]  # fmt: skip
INTERPOLATIONS = [
    "${seed}", "${model.hidden}", "${undefined}", "${oc.env:HOME}", "${oc.env:NOT_THERE}",
    "${now:%Y}", "${model}", "${training}", "${hydra:runtime.cwd}", "${oc.decode:'[1'}",
    "${nope:1}", "${..seed}", "${", "${}", "$${seed}", "${oc.create:{a:1}}", "${seed}${seed}",
]  # fmt: skip
INJECTED = [
    "+x=1", "++x=1", "x=1", "~x", "+model.x=1", "++model.x=1", "model.x=1", "~model.hidden",
    "~model", "~seed", "~training", "~data.root", "model.hidden.x=1", "+model.hidden.x=1",
    "__class__=1", "+__class__=1", "+_target_=os.system", "+model._target_=os.system",
    "model@x=gru", "+model@x=gru", "+model=gru", "model={hidden:3}", "+training={x:1}",
    "training={epochs:1}", "+base/model=x", "=", "=1", "", "model", "-m", "a b=1", "é=1",
    "model..hidden=1", "hydra=1",
    "+hydra.x=1", "hydra.run.dir=/", "model.name=gru", "+model.name=gru", "model=[gru,lstm]",
    "model.hidden=4 ", "model.hidden=range(3)", "model.hidden=choice(1,2)", "model.hidden=1,2",
]  # fmt: skip


@functools.cache
def keys_of_options() -> dict[str, tuple[str, ...]]:
    """Keys by the choice that has them: "" for all of them, "model=gru" for its own."""
    found = {"": tuple(known_keys(defaults()))}
    for group in groups():
        for name in options(group):
            values = OmegaConf.load(conf_dir() / group / f"{name}.yaml")
            own = {str(key) for key in values} - {"defaults"}
            if group in CHOSEN and (keys := own - {k.rpartition(".")[2] for k in found[""]}):
                found[f"{group}={name}"] = tuple(f"{group}.{key}" for key in sorted(keys))
    return found


def choice(group: str, name: str) -> str:
    """The override that chooses an option; a group that the defaults leave out is added."""
    listed = OmegaConf.load(conf_dir() / "train.yaml")["defaults"]
    is_listed = any(group in item for item in listed if not isinstance(item, str))
    return f"{group}={name}" if is_listed else f"+{group}={name}"


def words_of_the_schema() -> list[str]:
    """Every word that some key accepts."""
    found: set[str] = set()

    def walk(annotation: Any) -> None:
        for inner in typing.get_args(annotation):
            if isinstance(inner, str):
                found.add(inner)
            walk(inner)

    found_in: list[type[BaseModel]] = [Training, Sweep, *chain(*map(schemas, CHOSEN))]
    for schema in found_in:
        for field in schema.model_fields.values():
            walk(field.rebuild_annotation())
    return sorted(found)


def written(value: Any) -> str:
    """A value in Hydra's grammar."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{written(v)}" for key, v in value.items()) + "}"
    return quoted(value) if isinstance(value, str) else repr(value)


def values() -> st.SearchStrategy[str]:
    """Values as one types them, sensible ones too."""
    return st.one_of(
        st.sampled_from(words_of_the_schema()),
        st.integers(0, 20).map(str),
        st.builds("{}e{}".format, st.integers(0, 9), st.integers(-5, 0)),
        st.sampled_from(HOSTILE).map(written),
        st.sampled_from(INTERPOLATIONS),
        st.integers().map(str),
        # Not st.floats: training has switched subnormal numbers off, which it needs
        st.builds("{}.5e{}".format, st.integers(-9, 9), st.integers(-330, 330)),
        st.text(max_size=30).map(quoted),
        st.text(max_size=8),
    )


def settings_of_keys() -> st.SearchStrategy[list[str]]:
    """One key with some value, beside the choice that has the key."""
    pairs = [(choice, key) for choice, keys in keys_of_options().items() for key in keys]
    prefix = st.sampled_from(["", "", "", "", "+", "++"])

    def words(pair: tuple[str, str], sign: str, value: str) -> list[str]:
        choice, key = pair
        return [*[choice] * bool(choice), f"{sign}{key}={value}"]

    return st.builds(words, st.sampled_from(pairs), prefix, values())


def choices_of_groups() -> st.SearchStrategy[list[str]]:
    """A group with one of its options, another group's, or something else."""
    names = [name for group in groups() for name in options(group)]
    odd = ["nope", "null", "1", "../data/mnist_5k", "[lstm]", "{a:1}", "''", "/etc/passwd"]

    def word(group: str, name: str) -> list[str]:
        return [choice(group, name)]

    return st.builds(word, st.sampled_from(groups()), st.sampled_from([*names, *names, *odd]))


def commands() -> st.SearchStrategy[list[str]]:
    """One to three settings, choices or injected keys."""
    parts = st.one_of(
        settings_of_keys(),
        settings_of_keys(),
        settings_of_keys(),
        choices_of_groups(),
        st.sampled_from(INJECTED).map(lambda word: [word]),
    )
    return st.lists(parts, min_size=1, max_size=3).map(lambda found: [*chain(*found)])


def key_of(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def with_tiny(words: list[str]) -> list[str]:
    """The words, and a tiny run's for all that they leave open."""
    given = {key_of(word) for word in words}
    is_sized = given & {"model.match", "model.params"}
    rest = {k: v for k, v in TINY.items() if k not in given}
    if is_sized:
        rest.pop("model.hidden", None)
    return [*(f"{key}={value}" for key, value in rest.items()), *words]


def is_quick(config: Config) -> bool:
    """Whether it trains within a second or two, on this machine and without W&B."""
    if config.data.name not in ("mnist_5k", "mnist1d"):
        return False
    steps, length = num_steps(config), task_of(config.data).spec.time_steps
    is_small = config.model.hidden <= 64 and config.model.layers <= 3 and steps * length <= 1000
    is_here = config.device.threads <= 4
    mode = getattr(config.tracker, "mode", "disabled")
    return is_small and is_here and mode == "disabled" and config.model.match == "none"


def refusal(error: Exception, words: list[str]) -> str:
    """The line of an error, which must be one, be short, and name one of the keys."""
    line = str(error)
    assert line
    assert "\n" not in line
    assert len(line) < 2500
    assert "\x1b" not in line.replace("".join(words), "")
    named = [word for word in words if key_of(word).partition(".")[0] in line or word in line]
    assert named or "group is chosen" in line, f"{line!r} names none of {words}"
    return line


def play(words: list[str], folder: Path) -> LoadedRun | Config | str:
    """Train what the words ask for.

    Returns:
        The run; a config that is fine and too large for a test; or the line of the refusal.
    """
    try:
        config = compose(*with_tiny(words))
    except ConfigError as error:
        return refusal(error, words)
    check_asked(words, config)
    if not is_quick(config):
        return config
    try:
        run = train_run(config, folder)
    except (ValueError, OSError) as error:
        assert not (folder / "run.json").exists()
        assert not (folder / "result.json").exists()
        return refusal(error, words)
    assert run.state in ("finished", "diverged")
    if config.device.kernel == "auto":
        config = with_kernel(config, run.config.device.kernel)
    assert run.config == config
    return run


def check_asked(words: list[str], config: Config) -> None:
    """What was asked stands in the config, or it would not be there."""
    parser = OverridesParser.create()
    last = {key_of(word): word for word in words}
    for key, word in last.items():
        override = parser.parse_override(word)
        assert not override.is_delete(), f"{word} had no effect"
        asked = override.value()
        if key in CHOSEN:
            assert getattr(config, key).name == asked
        elif key in groups() or "${" in word or "\\" in word:
            continue
        elif not any(other.startswith(f"{key}.") for other in last):
            found: Any = config.model_dump(serialize_as_any=True)
            for part in key.split("."):
                found = found[part]
            check_same(asked, found, word)


def check_same(asked: Any, found: Any, word: str) -> None:
    if isinstance(asked, dict):
        for key, value in asked.items():
            check_same(value, found[key], word)
    elif word.lstrip("+").startswith("data.root="):
        assert os.path.abspath(found) == os.path.abspath(str(asked))
    elif asked == "Infinity" and found == float("inf"):
        pass  # JSON's word for it, where a number is wanted
    else:
        # A whole number is kept as the number with a point that is nearest
        is_rounded = isinstance(found, float) and isinstance(asked, int)
        found = list(found) if isinstance(found, tuple) else found
        assert (float(asked) if is_rounded else asked) == found, f"{word} became {found!r}"
        assert isinstance(asked, bool) == isinstance(found, bool)


def write_archive(path: Path) -> None:
    """Own sequences as `data=file` reads them: 130 for training, 60 for test, up to 6 long."""
    draw = np.random.RandomState(0)
    arrays: dict[str, Any] = {}
    for part, num in (("train", 130), ("test", 60)):
        arrays[f"x_{part}"] = draw.standard_normal((num, 6, 3))
        arrays[f"y_{part}"] = np.arange(num) % 3
        arrays[f"lengths_{part}"] = draw.randint(2, 7, size=num)
    np.savez(path, **arrays)


def remember_empty_data(root: Path) -> None:
    """Let this process find all published data sets, in their size: without a stroke or sound."""
    remember_empty_recordings(root)
    for name, source in sources.SOURCES.items():
        folder = root / name
        folder.mkdir(parents=True)
        files = []
        for file, shape in zip(source.files, _shapes(), strict=True):
            path = folder / file.name
            header = struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape)
            path.write_bytes(header)
            size = len(header) + functools.reduce(int.__mul__, shape)
            with open(path, "r+b") as stream:
                stream.truncate(size)  # a hole, which takes no room
            files.append((str(path), "0" * 32))
        remember(Located(name, name, tuple(files), "f" * 64, ""), root)
    files = [(str(black_pictures(root)), "0" * 32)]
    for grey in (False, True):
        about = json.dumps({"grey": grey})
        remember(Located("cifar10", "cifar10", tuple(files), "f" * 64, "", about), root)


def black_pictures(root: Path) -> Path:
    """An archive of CIFAR-10 of holes, which take no room."""
    path, size = root / "cifar.tar", 10_000 * 3073
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    with open(path, "wb") as stream:
        for name in names:
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = size
            stream.write(member.tobuf())
            stream.seek(-(-size // 512) * 512, 1)
        stream.write(bytes(1024))
    return path


def remember_empty_recordings(root: Path) -> None:
    """Let this process find the sets that packages carry: each recording is the same."""
    lengths = np.full(3000, 6)
    digits = {"X": np.ones((18_000, 13), np.float32), "y": np.arange(3000) % 10, "lengths": lengths}
    header = f"@classLabel true {' '.join('123456789')}\n@data\n"
    sounds = ":".join(["1,2,3,4,5,6,7"] * 12)
    paths = {"spoken_digits": [root / "digits.npz"], "japanese_vowels": []}
    np.savez(root / "digits.npz", **digits)  # type: ignore[arg-type]
    for part, num in (("TRAIN", 270), ("TEST", 370)):
        path = root / f"Vowels_{part}.ts"
        lines = [f"{sounds}:{1 + i % 9}\n" for i in range(num - 1)]
        # one of another length, as it is where lengths differ
        path.write_text("".join([header, *lines, f"{sounds.replace(',7', '')}:1\n"]))
        paths["japanese_vowels"].append(path)
    for name, files in paths.items():
        found = tuple((str(path), "0" * 64) for path in files)
        remember(Located(name, name, found, "f" * 64, ""), root)


def _shapes() -> Iterator[tuple[int, ...]]:
    for num in (60_000, 10_000):
        yield num, 28, 28
        yield (num,)


def pairwise(factors: dict[str, list[str]]) -> list[dict[str, str]]:
    """Few rows, in which each option of a factor meets each option of every other one."""
    names = list(factors)
    left = {
        ((a, x), (b, y))
        for i, a in enumerate(names)
        for b in names[i + 1 :]
        for x in factors[a]
        for y in factors[b]
    }
    rows = []
    while left:
        (a, x), (b, y) = min(left)
        row = {a: x, b: y}
        for name in names:
            if name not in row:
                row[name] = max(factors[name], key=lambda o, n=name: _num_new(row, n, o, left))
        left -= {pair for pair in left if all(row[n] == o for n, o in pair)}
        rows.append({name: row[name] for name in names})
    return rows


def _num_new(row: dict[str, str], name: str, option: str, left: set[Any]) -> int:
    own = (name, option)
    return sum(((item, own) in left) + ((own, item) in left) for item in row.items())
