"""Which options of a group have a key: the key is searched in trials of these options alone."""

from collections.abc import Collection
from dataclasses import replace

from mnist_seq.config import ConfigError
from mnist_seq.config.messages import suggestion
from mnist_seq.config.paths import keys_of_option, options
from mnist_seq.config.schema import CHOSEN, schema_of
from mnist_seq.config.words import key_of
from mnist_seq.sweep.plan.compose import Composer
from mnist_seq.sweep.search.space import Space


def with_conditions(space: Space, composer: Composer) -> Space:
    """The space with `only`: which of its keys belong to some options of a searched group.

    Raises:
        ConfigError: no searched option of a group has the key.
    """
    only: dict[str, tuple[str, tuple[str, ...]]] = {}
    for key in [*space.distributions, *map(key_of, space.fixed)]:
        group, _, inner = key.partition(".")
        # an experiment chooses what the command leaves open
        choosing = (group,) if group in map(key_of, space.fixed) else (group, "experiment")
        choice = next((g for g in choosing if g in space.distributions), "")
        if not inner or group not in CHOSEN or not choice:
            continue
        keys = _keys_of_options(space, composer, choice, group)
        name = inner.partition(".")[0]
        having = tuple(option for option, known in keys.items() if name in known)
        if keys and not having:
            known = dict.fromkeys(f"{group}.{k}" for of in keys.values() for k in of)
            raise _no_key(key, group, choice, known)
        if len(having) < len(keys):
            only[key] = (choice, having)
    return replace(space, only=only)


def _keys_of_options(
    space: Space, composer: Composer, choice: str, group: str
) -> dict[str, Collection[str]]:
    """The keys of `group` by the searched options of `choice`: the group itself, or experiment."""
    known = set(composer.options(choice))  # the plan refuses others
    searched = [name for name in space.distributions[choice].choices if name in known]
    return {name: _keys(space, composer, f"{choice}={name}", group) for name in searched}


def _keys(space: Space, composer: Composer, word: str, group: str) -> Collection[str]:
    choice, _, name = word.partition("=")
    if choice == group:
        try:
            return schema_of(group, name).model_fields
        except KeyError:  # a user's YAML over a member of another name
            pass
    choices = [fixed for fixed in space.fixed if "." not in key_of(fixed)]
    name = composer.values([*choices, word])[group].get("name")
    try:
        return schema_of(group, str(name)).model_fields
    except KeyError:  # the plan refuses it
        return ()


def _no_key(key: str, group: str, choice: str, known: Collection[str]) -> ConfigError:
    others = [name for name in options(group) if key in keys_of_option(group, name)]
    near = suggestion(key, known) or f"; the keys are {', '.join(known)}"
    hint = f"; {group}={'|'.join(others)} has it" if others else near
    return ConfigError(f"no option of {choice} in this search has {key}{hint}")
