"""Lets our `conf/hydra/` coexist with other plugins that use the same names."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.plugins.search_path_plugin import SearchPathPlugin

from mnist_seq.config.paths import conf_dir


class OwnNames(SearchPathPlugin):
    """Keeps the schemas of other plugins from our YAML files, in our commands only.

    hydra-joblib-launcher also stores `hydra/launcher/joblib`, and Hydra checks a YAML file against
    the stored config of the same name, which has no key `workers`.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        paths = [element.path.removeprefix("file://") for element in search_path.get_path()]
        if str(conf_dir()) not in paths:
            return
        stored = ConfigStore.instance().repo.get("hydra", {})
        for folder in (conf_dir() / "hydra").iterdir():
            for file in folder.glob("*.yaml"):
                stored.get(folder.name, {}).pop(file.name, None)
