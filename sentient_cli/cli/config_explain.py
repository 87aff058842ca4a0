"""``sentient config explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentient_cli.cli.config_names import FLAGS, KeyArgument
from sentient_cli.cli.invocation import current
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption, ProfileOption

if TYPE_CHECKING:
    from sentient_cli.config.described import Setting
    from sentient_cli.config.explain import Explanation

__all__ = ["config_explain"]


def config_explain(
    key: KeyArgument,
    profile: ProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Explain one setting: what it is, what each layer says of it, and which one won.

    A value is ignored where it does not count at all, such as that of a profile which is not chosen; the reason stands
    behind it. Secrets are masked.
    """
    from sentient_cli.config.explain import explain

    here = current()
    loaded = here.load(profile=profile, env_file=env_file, no_env_file=no_env_file, tell=False)
    explained = explain(loaded, key)
    if here.console.json:
        here.console.json_line(_fields(explained))
        return
    from sentient_cli.cli.config_text import explanation_lines, seen

    for line in explanation_lines(explained, here.console):
        here.console.data(seen(line, here.console.stdout))


def _fields(explained: Explanation) -> dict[str, object]:
    from sentient_cli.config.shown import shown

    setting, key = explained.setting, explained.setting.name
    return {
        "key": key,
        "value": shown(explained.value, key),
        "layer": explained.source.layer,
        "where": explained.source.where or None,
        **_described(setting),
        "given": [
            {
                "layer": given.layer,
                "value": shown(given.value, key),
                "where": given.where or None,
                "outcome": given.outcome,
                "why": given.why or None,
            }
            for given in explained.given
        ],
    }


def _described(setting: Setting) -> dict[str, object]:
    from sentient_cli.config.shown import shown

    commands = FLAGS.get(setting.name, ())
    return {
        "description": setting.description or None,
        "type": setting.kind,
        "of": setting.of,
        "unit": setting.unit or None,
        "at_least": setting.least,
        "above": setting.above,
        "at_most": setting.most,
        "below": setting.below,
        "choices": list(setting.choices) or None,
        "default": shown(setting.default, setting.name),
        "variable": setting.variable or None,
        "flag": setting.flag if commands else None,
        "commands": list(commands),
    }
