"""Train one run, or a sweep of them: `python -m mnist_seq.train -m model.hidden=32,64,128`."""

import os
import sys

import hydra
from omegaconf import DictConfig, OmegaConf

from mnist_seq import job
from mnist_seq.config.paths import conf_dir


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")
def _job(cfg: DictConfig) -> float:
    return job.run(cfg)


def main() -> None:
    """Console entry: Hydra's command line, its errors in one line each."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from mnist_seq.config import hydra_errors
    from mnist_seq.runs.console import silence
    from mnist_seq.runs.errors import RunFailed

    OmegaConf.register_new_resolver("mnist_seq.options", _options_text, replace=True)
    if job.IS_DEBUG:
        _job()
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, and we say it in one line
    try:
        _job()
    except (HydraException, OmegaConfBaseException) as error:
        job.refuse(hydra_errors.one_line(error))
    except BrokenPipeError:  # whoever read the output has left
        silence()
        raise SystemExit(1) from None
    except (ValueError, OSError, RuntimeError) as error:
        if not isinstance(error, ValueError | OSError | RunFailed):
            raise
        job.refuse(hydra_errors.one_line(error))
    except KeyboardInterrupt:
        print("interrupted before a run had begun", file=sys.stderr)
        raise SystemExit(130) from None


def _options_text() -> str:
    """All groups with their options, for --help."""
    from mnist_seq.config.paths import groups, options

    return "\n".join(f"{group + '=':<12}{' | '.join(options(group))}" for group in groups())


if __name__ == "__main__":
    main()
