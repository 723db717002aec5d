"""Train one run, or a sweep of them: `python -m mnist_seq.train -m model.hidden=32,64,128`."""

import hydra
from omegaconf import DictConfig, OmegaConf

from mnist_seq import command, job
from mnist_seq.config.paths import conf_dir


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")
def _job(cfg: DictConfig) -> float:
    return job.run(cfg)


def main() -> None:
    """Console entry: Hydra's command line, its errors in one line each."""
    from mnist_seq.config import hydra_errors

    OmegaConf.register_new_resolver("mnist_seq.options", _options_text, replace=True)
    command.run(_job, hydra_errors.one_line, interrupted="interrupted before a run had begun")


def _options_text() -> str:
    """All groups with their options, for --help."""
    from mnist_seq.config.paths import groups, options

    return "\n".join(f"{group + '=':<12}{' | '.join(options(group))}" for group in groups())


if __name__ == "__main__":
    main()
