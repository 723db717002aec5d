"""Train one run, or a sweep of them: `python -m mnist_seq.train -m model.hidden=32,64,128`."""

from mnist_seq.runs import stop_signals

stop_signals.while_importing(__name__)

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from mnist_seq.runs.console import QuietConsole
    from mnist_seq.training.job import Job


def main() -> None:
    """Console entry: Hydra's command line, its errors in one line each."""
    stop_signals.guarded(_main, line=" while nothing was training; the same command goes on")


def _main() -> None:
    # imports take half a second, in which a signal must end the command with a line too
    import hydra

    from mnist_seq import command
    from mnist_seq.config import hydra_errors
    from mnist_seq.config.paths import conf_dir
    from mnist_seq.config.words import OUR_JOB

    # a new page of 4 KiB costs as much as an LSTM computes in it, and long sequences fill many
    command.use_large_pages()
    setattr(_job, OUR_JOB, True)
    of_hydra = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")
    command.run(of_hydra(_job), hydra_errors.one_line)


def _job(cfg: "DictConfig") -> float:
    return run(cfg)


def run(cfg: "DictConfig") -> float:
    """Train the run of one composed config, in the folder that Hydra made for it.

    It is a single run, or a run that a launcher of Hydra has composed for a sweep.

    Returns:
        The last valid value of the task's main metric; NaN if there is none.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from mnist_seq import command
    from mnist_seq.config.errors import ConfigError, refuse, said
    from mnist_seq.runs.commands import read_asked, to_continue, to_continue_sweep
    from mnist_seq.runs.console import silence
    from mnist_seq.runs.errors import FolderLocked, Interrupted, RunFailed

    of_hydra = HydraConfig.get()
    is_sweep = of_hydra.mode == RunMode.MULTIRUN
    try:
        return _trained(cfg, is_sweep=is_sweep)
    except Interrupted as stop:
        output_dir = of_hydra.runtime.output_dir
        if is_sweep:  # of a launcher of Hydra's, in whose process this may be
            sweep = Path(output_dir).parent
            asked = read_asked(sweep / "multirun.yaml") or None
            again = to_continue_sweep(str(cfg.sweep.name), sweep, asked=asked)
        else:
            again = to_continue("hydra.run.dir", os.path.relpath(output_dir, of_hydra.runtime.cwd))
        try:
            print(f"{stop}; to go on: {again}", flush=True)
        except OSError:  # the signal came from a terminal that is closed
            silence()
        raise SystemExit(stop.exit_code) from None
    except (ConfigError, RunFailed, ValueError, OSError) as error:
        # in a sweep Hydra needs the error, and other jobs continue; a single run prints a line
        if is_sweep or command.IS_DEBUG:
            raise
        if not isinstance(error, FolderLocked):
            _remove_unused(Path(of_hydra.runtime.output_dir), of_hydra.overrides.hydra)
        refuse(said(error))


def _trained(cfg: "DictConfig", *, is_sweep: bool) -> float:
    """Prepare and train a run; returns the value of `run`."""
    from hydra.core.hydra_config import HydraConfig

    from mnist_seq.runs.console import QuietConsole, say

    console = QuietConsole()
    job = _prepared(cfg, console, is_sweep=is_sweep)
    from mnist_seq.runs.events import WATCHERS
    from mnist_seq.tracking import open_tracker
    from mnist_seq.tracking.sweep_view import tell_of_kept
    from mnist_seq.training import launch
    from mnist_seq.training.progress import open_progress

    listeners = [open_tracker(job.config, job.folder), open_progress(console), *WATCHERS]
    wait_s, is_kept = launch.WAIT_S if is_sweep else 0.0, job.folder.result_path.exists()
    ended = launch.launch(job, HydraConfig.get(), listeners, console=console, wait_s=wait_s)
    if is_kept:
        kept = [(job.config, job.folder)]
        tell_of_kept(kept, job.folder.path, tell=lambda _, text: say(console, text))
    return launch.main_value(job, ended)


def _prepared(cfg: "DictConfig", console: "QuietConsole", *, is_sweep: bool) -> "Job":
    """Check a composed config, and prepare its run; nothing is written.

    Raises:
        ConfigError: the config is impossible.
        ValueError: the data cannot be found, or is damaged.
    """
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from mnist_seq.config.errors import ConfigError
    from mnist_seq.config.hydra_errors import check_hydra_node
    from mnist_seq.config.members import use_folders_of
    from mnist_seq.config.parse import check_words, parse, rooted
    from mnist_seq.config.paths import options_of
    from mnist_seq.config.words import OF_A_SWEEP, key_of
    from mnist_seq.runs.console import say
    from mnist_seq.runs.folder import RunFolder

    of_hydra = HydraConfig.get()
    words = OmegaConf.to_container(of_hydra.overrides)  # unresolved: ${...} belongs to the config
    assert isinstance(words, dict)
    loader = GlobalHydra.instance().config_loader()
    use_folders_of(HydraConfig.instance().cfg)
    check_words(words["task"], options=options_of(loader, HydraConfig.instance().cfg))
    check_hydra_node(HydraConfig.instance().cfg, is_sweep=False)
    for word in () if is_sweep else (*words["task"], *words["hydra"]):
        if key_of(word).startswith(OF_A_SWEEP) and key_of(word) != "sweep.name":
            raise ConfigError(f"{word} says how a sweep runs, and this is one run; add -m")
    values = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(values, dict)
    # the folder in which the command was typed, also with hydra.job.chdir=true
    config = rooted(parse({str(k): v for k, v in values.items()}), of_hydra.runtime.cwd)

    from mnist_seq.tracking import (
        check_tracker,
    )  # imports torch: after the checks that do not need it
    from mnist_seq.training.device import check_device
    from mnist_seq.training.job import Job
    from mnist_seq.training.preflight.kernel import settled
    from mnist_seq.training.preflight.origin import described
    from mnist_seq.training.preflight.prepare import check_machine, prepare

    check_device(config.device)  # before the search for data, which may take long
    check_tracker(config)
    folder = RunFolder(Path(of_hydra.runtime.output_dir))
    prepared = prepare(config, folder)
    config, of_kernel = settled(prepared.config, folder)
    check_machine(config)
    for notice in (prepared.located.notice, of_kernel, described(config)):
        if notice:
            say(console, notice)
    return Job(
        config=config,
        located=prepared.located,
        folder=folder,
        name=(is_sweep and of_hydra.job.override_dirname) or config.model.name,
        overrides=tuple(words["task"]),
    )


def _remove_unused(folder: Path, words: list[str]) -> None:
    """Remove the folder that Hydra made for a run that is refused before its start.

    Args:
        words: overrides of Hydra's own keys; a folder that they name is not removed.
    """
    import logging

    from mnist_seq.config.words import key_of

    is_ours = not any(key_of(word) == "hydra.run.dir" for word in words)
    if is_ours and {path.name for path in folder.iterdir()} <= {".lock", "train.log"}:
        for handler in logging.getLogger().handlers[:]:
            if isinstance(handler, logging.FileHandler):  # Windows removes no open file
                logging.getLogger().removeHandler(handler)
                handler.close()
        shutil.rmtree(folder, ignore_errors=True)  # the reason of the refusal is to be said


if __name__ == "__main__":
    main()
