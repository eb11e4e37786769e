"""What MkDocs does beyond rendering: tables made from the code, and a look at what pages fetch.

A page has `<!-- flags of VERB -->` where the flags of a verb belong, and `<!-- recipes -->` where
the recipes do. Both are read from the code each time the site is built.
"""

import argparse
import importlib
import logging
import re
from typing import Any

from cyclegan_keras.config.known import known_settings
from cyclegan_keras.config.models import MODELS
from cyclegan_keras.config.train_config import TrainConfig

FLAGS = re.compile(r"<!-- flags of (\w+) -->")
RECIPES = "<!-- recipes -->"
# Whatever a browser fetches by itself when it opens a page.
FETCHED = re.compile(
    r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^\s\"'>]+"
)
DEFAULT = re.compile(r"\s*\(default: (.*?)\)$")
TITLES = {"options": "general", "positional arguments": "arguments"}
MANY = 8  # Choices that are named one by one; of more, the help text says where they are listed.
SETTINGS = known_settings()
USUAL = TrainConfig().flat()

log = logging.getLogger("mkdocs.hooks")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts the tables where a page wants them."""
    markdown = FLAGS.sub(lambda found: flags(found[1]), markdown)
    return markdown.replace(RECIPES, recipes()) if RECIPES in markdown else markdown


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Warns of a page that would fetch something from the network, which fails a strict build."""
    for found in FETCHED.findall(output):
        log.warning("%s fetches something from the network: %s", page.file.src_uri, found)
    return output


def flags(verb: str) -> str:
    """Lists the flags of a verb of the command line, one table a group.

    Args:
        verb: Such as "train".

    Returns:
        Markdown.
    """
    return "\n".join(_tables(_parser(verb)))


def _parser(verb: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"cyclegan {verb}")
    importlib.import_module(f"cyclegan_keras.cli.{verb}").add_arguments(parser)
    return parser


def _tables(parser: argparse.ArgumentParser) -> list[str]:
    lines = []
    # argparse has no public list of what a parser takes.
    for group in parser._action_groups:
        rows = []
        for action in group._group_actions:
            if isinstance(action, argparse._SubParsersAction):
                for sub in action.choices.values():
                    lines += [f"\n`{sub.prog}`: {sub.description}\n", *_tables(sub)]
            elif action.help is not argparse.SUPPRESS and "-h" not in action.option_strings:
                rows.append(_row(action))
        if rows:
            title = TITLES.get(group.title or "", group.title or "").capitalize()
            lines += [f"\n**{title}**\n", "| | default | |", "|---|---|---|", *rows, ""]
    return lines


def _row(action: argparse.Action) -> str:
    setting = SETTINGS.get(action.dest)
    text = (action.help or "").replace("%%", "%")
    found = DEFAULT.search(text)
    default, text = found[1] if found else "", DEFAULT.sub("", text)
    if setting is not None and setting.type is bool:
        default = _plain(USUAL.get(setting.name, setting.field.default))
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    if action.choices and len(list(action.choices)) <= MANY:
        text = f"{text}: {', '.join(f'`{choice}`' for choice in action.choices)}"
    elif action.metavar or action.nargs != 0:
        metavar = action.metavar or action.dest
        parts = [metavar] if isinstance(metavar, str) else metavar
        names = " ".join([names, *(f"`{part}`" for part in parts)]).strip()
    mark = " ↻" if setting is not None and setting.about["may_change"] else ""
    return f"| {names}{mark} | {_cell(default)} | {_cell(text)} |"


def recipes() -> str:
    """Sets the recipes and models side by side, in the settings in which they differ.

    Returns:
        A Markdown table, with a dash where a setting has no effect.
    """
    usual = TrainConfig().info
    columns: dict[str, dict[str, Any]] = {
        f"`--recipe {name}`": {"recipe": name} for name in usual.recipes if name
    }
    # Of the other models, what each has where no recipe is named.
    columns |= {f"`--model {name}`": {"model": name} for name in MODELS if name != usual.name}
    found = [TrainConfig(**chosen) for chosen in columns.values()]
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name in SETTINGS:
        if name in ("recipe", "model") or SETTINGS[name].flag is None:
            continue
        values = [getattr(settings, name) for settings in found]
        if len({repr(value) for value in values}) == 1:
            continue
        cells = [
            _plain(value) if _matters(chosen, name, value) else "–"
            for chosen, value in zip(columns.values(), values, strict=True)
        ]
        lines.append(f"| `{SETTINGS[name].flag}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _matters(chosen: dict[str, Any], name: str, value: Any) -> bool:
    """Whether a setting may be given beside a recipe or model, without which it does nothing."""
    try:
        TrainConfig.make(**chosen, **{name: value})
    except ValueError:
        return False
    return True


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else _cell(str(value))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
