"""`completion`: a script that teaches a shell the verbs and their options, made from the verbs themselves."""

from __future__ import annotations

import argparse
from importlib import import_module

DESCRIPTION = """\
Prints a completion script for the named shell.
"""

EXAMPLES = """\
examples:
  reconcile completion bash > /etc/bash_completion.d/reconcile
  reconcile completion zsh  > "${fpath[1]}/_reconcile"
  reconcile completion fish > ~/.config/fish/completions/reconcile.fish
"""

_BASH = """\
_reconcile() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" verb="" each
    for each in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$each" in {verbs_or}) verb="$each"; break;; esac
    done
    local words
    case "$verb" in
{cases}
        *) words="{verbs} {bare}";;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word") $(compgen -f -- "$word"))
}}
complete -o filenames -F _reconcile reconcile
"""

_ZSH = """\
#compdef reconcile
autoload -U +X bashcompinit && bashcompinit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=["bash", "zsh", "fish"])


def run(arguments: argparse.Namespace) -> int:
    options = options_by_verb()
    if arguments.shell == "fish":
        print(_fish(options), end="")
    else:
        print((_ZSH if arguments.shell == "zsh" else "") + _bash(options), end="")
    return 0


def options_by_verb() -> dict[str, list[str]]:
    """Every verb's long options and fixed words; the bare command's under the empty name."""
    from reconciler.cli.main import VERBS  # noqa: PLC0415

    modules = {"": "converge"} | {name: module for name, (module, _summary) in VERBS.items()}
    found = {}
    for name, module in modules.items():
        parser = argparse.ArgumentParser(add_help=False)
        import_module(f"reconciler.cli.{module}").add_arguments(parser)
        found[name] = _words_of(parser)
    return found


def _words_of(parser: argparse.ArgumentParser) -> list[str]:
    words = ["--help"]
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of them
        words += [option for option in action.option_strings if option.startswith("--")]
        if not action.option_strings and action.choices:
            words += [str(choice) for choice in action.choices]
    return words


def _bash(options: dict[str, list[str]]) -> str:
    verbs = [name for name in options if name]
    cases = "\n".join(f'        {name}) words="{" ".join(options[name])}";;' for name in verbs)
    return _BASH.format(
        verbs=" ".join(verbs), verbs_or="|".join(verbs), cases=cases, bare=" ".join(options[""])
    )


def _fish(options: dict[str, list[str]]) -> str:
    from reconciler.cli.main import VERBS  # noqa: PLC0415

    lines = []
    for name, words in options.items():
        condition = f"__fish_seen_subcommand_from {name}" if name else "__fish_use_subcommand"
        if name:
            summary = VERBS[name][1].replace("'", "")
            lines.append(f"complete -c reconcile -n __fish_use_subcommand -a {name} -d '{summary}'")
        for word in words:
            what = f"-l {word[2:]}" if word.startswith("--") else f"-a {word}"
            lines.append(f"complete -c reconcile -n '{condition}' {what}")
    return "\n".join(lines) + "\n"
