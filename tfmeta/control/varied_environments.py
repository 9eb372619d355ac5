"""Environments of Gymnasium whose numbers differ from those that they are made with."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfmeta.extras import MissingExtraError, is_installed

if TYPE_CHECKING:
    import gymnasium


def known_spec(env_id: str) -> Any:
    """What Gymnasium knows of an environment, by its id.

    Args:
        env_id: As for `gymnasium.make`, `"module:Name-v0"` included.

    Raises:
        ValueError: When there is none; names one that is near.
        MissingExtraError: When Gymnasium, or what the environment needs, is missing.
    """
    if not is_installed("gymnasium"):
        raise MissingExtraError("an environment of Gymnasium", "gymnasium", "control")
    import gymnasium

    try:
        # It imports a module before the colon, which `spec` does not.
        module, _, name = env_id.rpartition(":")
        if module:
            __import__(module)
        return gymnasium.spec(name)
    except (gymnasium.error.Error, ModuleNotFoundError) as error:
        raise ValueError(
            "`env_id` must be an environment that Gymnasium knows. Received: "
            f"env_id={env_id!r}. {_one_line(error)}"
        ) from error


class VariedMaker:
    """Makes environments of one kind, with other numbers in them.

    A number that the environment's constructor takes by name is given to it. Any other
    is an attribute: while the constructor runs, what it assigns to that name is
    replaced, so that all it derives from the attribute is right, too; CartPole's
    `polemass_length` follows its `length`. Behind the constructor nothing is watched,
    and the environment is one of its own class.

    Args:
        env_id: Id of the environment.
        names: What is to vary.
        horizon: Steps until it is truncated, at most; `None` for those that it is
            registered with.
        arguments: Of its constructor, for all.

    Attributes:
        horizon: Steps until it is truncated.

    Raises:
        ValueError: When there is no such environment, it has no such attribute, or sets
            it anew at every reset, or nobody says when it ends.
    """

    def __init__(
        self,
        env_id: str,
        names: tuple[str, ...],
        horizon: int | None,
        arguments: Mapping[str, Any],
    ) -> None:
        self._spec = known_spec(env_id)
        limit = self._spec.max_episode_steps
        if horizon is None and limit is None:
            raise ValueError(
                f"`horizon` must be given: {env_id} is registered without a limit of "
                "steps. Received: horizon=None"
            )
        self.horizon: int = min(h for h in (horizon, limit) if h is not None)
        self._arguments = {**self._spec.kwargs, **arguments}
        self._class = _class_of(self._spec.entry_point)
        taken = inspect.signature(self._class or self._spec.entry_point).parameters
        self._by_constructor = {name for name in names if name in taken}
        probe = self.make({})
        try:
            self._check(probe.unwrapped, names)
        finally:
            probe.close()

    def make(self, values: Mapping[str, float]) -> gymnasium.Env:
        """An environment with these numbers in place of its own.

        Raises:
            ValueError: When Gymnasium cannot make it; says why.
        """
        import gymnasium

        given = {n: v for n, v in values.items() if n in self._by_constructor}
        replaced = {n: v for n, v in values.items() if n not in given}
        spec = gymnasium.envs.registration.EnvSpec(
            id=self._spec.id,
            entry_point=_replacing(self._class, replaced)
            if replaced and self._class
            else self._spec.entry_point,
            order_enforce=False,
            disable_env_checker=True,
            additional_wrappers=self._spec.additional_wrappers,
        )
        try:
            return gymnasium.make(
                spec,
                max_episode_steps=self.horizon,
                **{**self._arguments, **given},
            )
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            raise ValueError(
                f"`env_id` must be an environment that can be made. Received: "
                f"env_id={self._spec.id!r}. {_one_line(error)}"
            ) from error

    def _check(self, plain: Any, names: tuple[str, ...]) -> None:
        """Refuses names that are no numbers of the environment, or not its own."""
        for name in names:
            if name in self._by_constructor:
                continue
            value = getattr(plain, name, None)
            if isinstance(value, bool) or not isinstance(value, int | float):
                known = ", ".join(sorted(_numbers_of(plain))) or "none"
                raise ValueError(
                    f"`varied` must name numbers of {self._spec.id}: arguments of its "
                    f"constructor, or attributes ({known}). Received: {name!r}"
                )
            if self._class is None:
                raise ValueError(
                    f"`varied` must name arguments of the function that makes "
                    f"{self._spec.id}, since it is no class. Received: {name!r}"
                )
            changed = self.make({name: value + 1})
            try:
                changed.reset(seed=0)
                if getattr(changed.unwrapped, name) != value + 1:
                    raise ValueError(
                        f"`varied` must name what {self._spec.id} keeps: it sets "
                        f"{name} anew by itself. Received: {name!r}"
                    )
            finally:
                changed.close()


def _class_of(entry_point: Any) -> type | None:
    """The class of an environment, `None` where a function makes it."""
    import gymnasium

    made_by = entry_point
    if isinstance(entry_point, str):
        made_by = gymnasium.envs.registration.load_env_creator(entry_point)
    return made_by if isinstance(made_by, type) else None


def _replacing(of: type, values: Mapping[str, float]) -> Any:
    """What makes an environment in whose constructor some attributes are others."""

    def set_attribute(self: Any, name: str, value: Any) -> None:
        super(watched, self).__setattr__(name, values.get(name, value))

    watched: Any = type(of.__name__, (of,), {"__setattr__": set_attribute})

    def make(**arguments: Any) -> Any:
        environment = watched.__new__(watched)
        # Those of the class are never assigned.
        for name, value in values.items():
            setattr(environment, name, value)
        environment.__init__(**arguments)
        environment.__class__ = of
        return environment

    make.metadata = of.metadata  # type: ignore[attr-defined]
    return make


def _numbers_of(environment: Any) -> list[str]:
    """Names of attributes that are numbers."""
    return [
        name
        for name, value in vars(environment).items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and not name.startswith("_")
    ]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
