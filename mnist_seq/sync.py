"""Sends runs to W&B that it lacks: `python -m mnist_seq.sync sweep=outputs/sweeps/<name>`."""

from mnist_seq.runs import stop_signals

stop_signals.while_importing(__name__, script="mnist-seq-sync")

import contextlib
import functools
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig

from mnist_seq import command
from mnist_seq.config.errors import ConfigError, refuse
from mnist_seq.config.paths import conf_dir
from mnist_seq.runs import files
from mnist_seq.runs.console import say
from mnist_seq.runs.text import share
from mnist_seq.tracking.wandb.package import own_temporary_folder

if TYPE_CHECKING:
    from rich.console import Console

    from mnist_seq.runs.folder import RunFolder
    from mnist_seq.tracking.wandb.sync.item import Item
    from mnist_seq.tracking.wandb.sync.send import Limits

_NUM_REASONS = 5  # missing runs that are named with their reason


def run(values: Mapping[str, Any], console: "Console") -> bool:
    """Sync, and print what W&B has now.

    Args:
        values: the keys of `conf/sync.yaml`.

    Returns:
        Whether W&B has all runs completely.

    Raises:
        ValueError: there is nothing to sync, no account, or another process uploads these runs.
    """
    from mnist_seq.runs.folder import find_runs
    from mnist_seq.tracking.wandb import package, variables

    limits, sources = read_limits(values), _sources(values["sweep"])
    where = {key: _address(values, key) for key in ("project", "entity")}
    folders = {
        folder.path.resolve(): folder
        for source in sources
        for folder in find_runs(source)
        if not any(part.startswith(".") for part in folder.path.relative_to(source).parts)
    }
    if not folders:
        raise ConfigError(
            f"a sync needs run folders, and {', '.join(map(str, sources))} holds none; train some: "
            "python -m mnist_seq.train -m seed=0,1,2"
        )
    variables.check()
    package.use_environment(sources[0].resolve())
    os.environ.pop("WANDB_MODE", None)  # it may say offline, which this command ends
    package.forget_agent(os.environ)
    try:
        is_known = package.has_credentials(verify=False)
    except Exception as error:
        raise ConfigError(package.reason(error)) from None
    if not is_known:
        raise ConfigError(
            "W&B wants an account: no credentials; run `wandb login`, or set WANDB_API_KEY"
        )
    with contextlib.ExitStack() as stack:
        for home in sorted({_home(folder) for folder in folders.values()}):
            stack.enter_context(_locked(home))
        return _send(list(folders.values()), where, limits, console)


def _send(
    folders: Sequence["RunFolder"], where: Mapping[str, str], limits: "Limits", console: "Console"
) -> bool:
    from mnist_seq.tracking.wandb.sync.item import read
    from mnist_seq.tracking.wandb.sync.send import send_runs

    items, unread = [], []
    for folder in folders:
        try:
            items.append(read(folder, **where))
        except (ValueError, OSError) as error:
            unread.append(f"{folder.path}: {error}")
    with _progress(len(items), console) as tell:
        send_runs(items, limits, tell)
    missing = [f"{i.folder.path}: {i.reason}" for i in items if i.how == "missing"] + unread
    for line in missing[:_NUM_REASONS]:
        say(console, f"not there: {line}")
    say(console, last_line(items, len(missing)))
    return not missing


def last_line(items: Sequence["Item"], num_missing: int) -> str:
    """How many runs W&B has completely, how they got there, and how many are missing."""
    count = Counter(item.how for item in items)
    num_there = sum(count.values()) - count["missing"]
    words = {"there": "were there", "replayed": "sent from offline files", "rebuilt": "rebuilt"}
    parts = [f"{count[how]} {text}" for how, text in words.items() if count[how]]  # type: ignore[index]
    urls = sorted({item.url.rpartition("/runs/")[0] for item in items if item.url})
    where = f" in {', '.join(urls)}" if urls else ""
    how = f" ({', '.join(parts)})" if parts else ""
    rest = "; the same command tries again" if num_missing else ""
    return (
        f"W&B: {share(num_there, num_there + num_missing, 'run')} complete{where}{how}, "
        f"{num_missing} not{rest}"
    )


def read_limits(values: Mapping[str, Any]) -> "Limits":
    """Check the keys of `conf/sync.yaml` that say how hard to try.

    Raises:
        ConfigError: a wrong type or an impossible value.
    """
    from mnist_seq.tracking.wandb.sync.send import Limits

    for key in ("workers", "tries"):
        if type(values[key]) is not int or values[key] < 1:
            raise ConfigError(f"{key} must be a whole number, 1 or more: {key}={values[key]}")
    timeout = values["timeout"]
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not is_number or not 1 <= timeout < math.inf:
        raise ConfigError(f"timeout must be a number of seconds, 1 or more: timeout={timeout}")
    return Limits(values["workers"], values["tries"], float(timeout))


def _address(values: Mapping[str, Any], key: str) -> str:
    """A project or entity; "" for auto: what each run's config says."""
    value = values[key]
    if not isinstance(value, str) or value in ("", ".", "..") or set(value) & set("/\\#?%:"):
        raise ConfigError(f"{key} must be auto or a name without : / \\ # ? %: {key}={value}")
    return "" if value == "auto" else value


def _sources(sweep: object) -> list[Path]:
    from mnist_seq.runs.sweep_folder import expanded, no_folder

    given: list[Any] = sweep if isinstance(sweep, list) else [sweep]
    if not given or not all(isinstance(path, str) and path for path in given):
        raise ConfigError(
            f"sweep must be a folder or a list of them: sweep={sweep}; write "
            "sweep=outputs/sweeps/<name>"
        )
    sources = [expanded(path) for path in given]
    for source in sources:
        if not source.is_dir():
            raise ConfigError(no_folder(source))
    return sources


def _home(folder: "RunFolder") -> Path:
    """The folder with the run's W&B files and the mirror's lock: the sweep's, or the run's own."""
    from mnist_seq.tracking.wandb.run.contents import identify

    with contextlib.suppress(ValueError, OSError):
        return identify(folder).home
    return folder.path.resolve()


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Lock a sweep's folder against its mirror while the block runs.

    Raises:
        ConfigError: the mirror is at work.
        FolderLocked: the sweep is at work without a mirror. W&B would get its running runs as
            failed ones.
    """
    import filelock

    from mnist_seq.runs import lock as folder_lock

    if not os.access(home, os.W_OK):  # read-only: nobody works there
        yield
        return
    with folder_lock.locked(home, what="a sweep"):
        pass
    files.make_folder(home, "wandb")
    lock = filelock.FileLock(files.inside(home, "wandb", ".lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ConfigError(
            f"runs are brought to W&B by one process at a time: {home} is being mirrored; wait for "
            "its sweep to end"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _progress(total: int, console: "Console") -> Iterator[Callable[["Item"], None]]:
    """A bar on a terminal, else a line for each tenth of the runs."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    count = 0
    if console.is_terminal:
        columns = (TextColumn("W&B"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("W&B", total=total)
            yield lambda item: bar.advance(task)
        return

    def tell(item: "Item") -> None:
        nonlocal count
        count += 1
        if count % max(1, total // 10) == 0 or count == total:
            say(console, f"[{count}/{total}] {item.how} {item.identity.name}")

    yield tell


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="sync")
def _job(cfg: DictConfig) -> None:
    with command.errors_said():
        _sync(cfg)


def _sync(cfg: DictConfig) -> None:
    from rich.console import Console

    values = command.values_of("sync", cfg, {"sweep": "outputs/sweeps/<name>"})
    if not run(values, Console()):
        raise SystemExit(1)


def main() -> None:
    """Console entry: Hydra's command line, its errors in one line each."""
    code = 0
    try:
        stop_signals.guarded(_main, line="; the same command goes on")
    except SystemExit as end:
        code = int(end.code or 0)
    _leave(code)


def _main() -> None:
    if {"-m", "--multirun"} & set(sys.argv[1:]):
        refuse('a sync runs no sweep; leave out -m, and name several folders as "sweep=[a,b]"')
    command.check_folders(sys.argv[1:])
    sys.argv[1:] = [command.quoted(word, ["sweep"]) for word in sys.argv[1:]]
    explain = functools.partial(command.one_line, "sync")
    with own_temporary_folder():
        command.run(_job, explain, config_name="sync")


def _leave(code: int) -> None:
    """End the process now: wandb's exit handlers wait for runs that were given up."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
