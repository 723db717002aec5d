"""Our `conf/hydra/` beside other plugins that give the same names."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.plugins.search_path_plugin import SearchPathPlugin

from mnist_seq.config.paths import conf_dir


class OwnNames(SearchPathPlugin):
    """Keeps the schemas of other plugins off the files of ours, in our commands alone.

    hydra-joblib-launcher and its like also store `hydra/launcher/joblib`, and Hydra holds a file
    to the stored config of its name: `workers` would be no key of theirs.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        paths = [element.path.removeprefix("file://") for element in search_path.get_path()]
        if str(conf_dir()) not in paths:
            return
        stored = ConfigStore.instance().repo.get("hydra", {})
        for folder in (conf_dir() / "hydra").iterdir():
            for file in folder.glob("*.yaml"):
                stored.get(folder.name, {}).pop(file.name, None)
