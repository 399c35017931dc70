"""Pictures of the terminal for the pages: real commands, run here, as SVG files in `docs/images/terminal`.

    uv run --no-sync python -m docs.casts [NAME ...]    # all of them, or some

A command runs in this process, in a folder with the repository's examples and a few files that it reads. Doubles
of Ollama stand for servers, and the scripted engine for a model. `tests/test_docs_casts.py` makes the quick ones again
and compares their text.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from html import unescape
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs/images/terminal"
WIDTH = 80
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

COLOURS = TerminalTheme(
    (30, 34, 42),
    (220, 223, 228),
    [
        *((90, 99, 116), (224, 108, 117), (152, 195, 121), (229, 192, 123)),
        *((97, 175, 239), (198, 120, 221), (86, 182, 194), (220, 223, 228)),
    ],
)
"""Legible on its own dark ground, so that a picture suits a light page as well as a dark one."""

FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's picture of a terminal without the fonts that it would fetch from elsewhere."""


class Cast(NamedTuple):
    """A picture of a command and its output.

    Attributes:
        command: The command, as it stands in the picture.
        prepare: Makes the files that it reads in the current folder, and starts servers that end with the stack.
            Returns what stands for words of the command.
        lines: Number of lines of the output that are shown; 0 for all.
        recorded: A file of the repository with the output of an earlier run (of a page: its first block of text); ""
            runs the command.
        quick: Whether a test makes it again.
        errors: Whether the picture shows stderr as well.
        begin: Beginning of the first line that is shown; "" for all lines.
        pressed: Keys that are pressed.
        code: The command's exit code.
        running: Shows the display after so many texts instead of the output; 0 for the output.
    """

    command: str
    prepare: Callable[[ExitStack], Mapping[str, str]] = lambda _: {}
    lines: int = 0
    recorded: str = ""
    quick: bool = True
    errors: bool = False
    begin: str = ""
    pressed: str = ""
    code: int = 0
    running: int = 0


def kiln(_: ExitStack) -> Mapping[str, str]:
    """A case with its rubric, and two folders of summaries."""
    cases = Path("my-cases")
    cases.mkdir()
    (cases / "kiln.txt").write_text(
        "Petra: The kiln on line 2 tripped at 03:12, and 460 plates were cooling inside.\n"
        "Jonas: Thermocouple B read 1,390 degrees while A and C read 1,210.\n"
        "Jonas: We fire the plates again on Thursday with the slow program.\n"
        "Petra: I tell the customer in Graz that delivery moves to 4 June.\n",
        "utf-8",
    )
    items = [
        ("cause", "Thermocouple B was faulty.", 1, '["thermocouple"]'),
        ("delivery", "Delivery moves to 4 June.", 1, '["4 June"]'),
        ("again", "The plates are fired again on Thursday.", 2, '["Thursday"]'),
        ("plates", "460 plates were inside.", 4, '["460"]'),
    ]
    rubric = [
        f'[[items]]\nid = "{name}"\ntext = "{text}"\nlevel = {level}\nany = {any_}\n'
        for name, text, level, any_ in items
    ]
    (cases / "kiln.toml").write_text('title = "The kiln"\n\n' + "\n".join(rubric), "utf-8")
    for folder, text in (
        (
            "good",
            "Thermocouple B read wrong and tripped the kiln. The plates are fired again on Thursday; delivery: 4 June.",
        ),
        ("wrong", "The kiln on line 2 tripped. The customer in Graz was told."),
    ):
        Path(folder).mkdir()
        Path(folder, "kiln.txt").write_text(text, "utf-8")
    return {}


def sweep_file(**changes: object) -> None:
    """A small sweep of the scripted engine as `sweep.toml`."""
    from tests.sweeps.sweep_files import write_sweep

    write_sweep(Path.cwd(), **changes)


def sweep(**changes: object) -> Callable[[ExitStack], Mapping[str, str]]:
    """Prepare a small sweep of the scripted engine as `sweep.toml`."""

    def make(_: ExitStack) -> Mapping[str, str]:
        sweep_file(**{"study": {"name": "minutes"}, **changes})
        return {}

    return make


def finished(surface: str = "demo") -> Callable[[ExitStack], Mapping[str, str]]:
    """Prepare a finished sweep named `minutes`, on a surface of the scripted engine."""

    def make(stack: ExitStack) -> Mapping[str, str]:
        sweep(engine={"options": {"surface": surface}})(stack)
        _run(["run", "sweep.toml", "--no-tracking", "--quiet"])
        return {}

    return make


def mistake(_: ExitStack) -> Mapping[str, str]:
    """A sweep's file with a mistake."""
    sweep_file()
    Path("sweep.toml").write_text(Path("sweep.toml").read_text("utf-8").replace("top_p", "topp"), "utf-8")
    return {}


def server(stack: ExitStack) -> Mapping[str, str]:
    """A double of a current Ollama."""
    from tests.doubles.ollama import OllamaDouble

    os.environ["OLLAMA_HOST"] = stack.enter_context(OllamaDouble(version="0.33.0-rc2")).url
    return {}


def thinker(stack: ExitStack) -> Mapping[str, str]:
    """A sweep of a model that thinks longer than num_predict allows."""
    from tests.doubles.ollama import Model, OllamaDouble
    from tests.doubles.ollama_versions import Thought

    def thinks(prompt: str, wanted: bool | str, chance: object) -> Thought | None:
        del chance
        return Thought(prompt, "<think>", "</think>", True) if wanted else None

    model = Model(digest="d" * 64, capabilities=("completion", "thinking"), thinks=thinks)
    double = stack.enter_context(OllamaDouble(version="0.33.0-rc2", models={"qwen3:4b": model}))
    sweep_file(
        study={"name": "minutes"},
        engine={"kind": "ollama", "host": double.url, "options": None},
        baseline={"model": "qwen3:4b", "num_predict": 20},
        budget={"generations": 120},
    )
    return {}


def machines(stack: ExitStack) -> Mapping[str, str]:
    """The three machines of the guide."""
    from tests.doubles.three_machines import three_machines

    hosts = stack.enter_context(three_machines()).hosts
    return {
        f"{name}=http://{name}:11434" + ("/v1" if "/v1" in url else ""): f"{name}={url}" for name, url in hosts.items()
    }


AWAY = {"kind": "ollama", "host": "http://127.0.0.1:9", "options": None}
CASTS: Mapping[str, Cast] = {
    "help": Cast("sweeps --help"),
    "judge": Cast("sweeps judge examples/ci/scores.csv --baseline old --expect better"),
    "margin": Cast("sweeps judge examples/ci/scores.csv --baseline old --margin 0.15"),
    "rank": Cast('sweeps rank examples/look_at_results.csv --baseline "temperature 0.8, repeat_penalty 1.1"'),
    "plan": Cast("sweeps plan --gain 0.05 --noise-sd 0.09 --cases 6"),
    "cases-check": Cast("sweeps cases check my-cases --num-ctx 2048 --num-ctx 4096", kiln, errors=True),
    "score": Cast("sweeps score my-cases good/ wrong/ --missed 5", kiln),
    "mistake": Cast("sweeps check sweep.toml", mistake, code=2),
    "away": Cast("sweeps check sweep.toml", sweep(engine=AWAY), code=2, lines=10),
    "probe": Cast("sweeps probe -o mirostat -o top_k -o temperature", server, quick=False),
    "thinking": Cast("sweeps run sweep.toml", thinker, quick=False, errors=True, code=2, begin="error:"),
    "audit": Cast(
        "sweeps audit --model qwen2.5:14b --host wk-01=http://wk-01:11434 --host wk-02=http://wk-02:11434 "
        "--host mbp=http://mbp:11434/v1",
        machines,
        quick=False,
        lines=32,
    ),
    "export": Cast(
        "sweeps export minutes --format env --format json --format modelfile --out settings", finished(), quick=False
    ),
    "running": Cast("sweeps run sweep.toml", sweep(budget={"generations": 240}), quick=False, running=150),
    "prompt-ab": Cast(
        "sweeps compare examples/recipes/prompt-ab.toml", recorded="examples/recipes/output/prompt-ab.txt"
    ),
    "custom-objective": Cast(
        "python examples/recipes/custom-objective.py", recorded="examples/recipes/output/custom-objective.txt"
    ),
    "python-loop": Cast("python examples/recipes/python-loop.py", recorded="examples/recipes/output/python-loop.txt"),
    "hosts": Cast("python -m benchmarks.speed.hosts --quick", quick=False),
    "panel": Cast("sweeps run examples/quickstart.toml", recorded="README.md"),
    "no-gain": Cast("sweeps judge minutes", finished("flat"), quick=False),
    "status": Cast("sweeps status minutes", finished(), quick=False),
    "doctor": Cast("sweeps doctor", finished(), quick=False),
    "label": Cast("sweeps label minutes", finished(), quick=False, errors=True, pressed="y\nq\n", lines=24),
}
"""The pictures by name."""


@contextmanager
def workplace() -> Iterator[None]:
    """A new current folder in which the examples are where they are in the repository, and a terminal of 80 columns."""
    kept = dict(os.environ)
    for name in ("OLLAMA_HOST", "OLLAMA_MODEL", "MLFLOW_TRACKING_URI", "NO_COLOR"):
        os.environ.pop(name, None)
    os.environ |= {"COLUMNS": str(WIDTH), "LINES": "60", "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    try:
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            for name in ("examples", "tests"):
                Path(name).symlink_to(ROOT / name)
            yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _run(words: Sequence[str], pressed: str = "") -> tuple[int, str, str]:
    """Run a command, or a module after `-m`; returns its exit code, stdout, and both streams in their order."""
    from sweeps.cli import run_command

    class Both(io.StringIO):
        def write(self, text: str) -> int:
            both.write(text)
            return super().write(text)

    both, out, err = io.StringIO(), Both(), Both()
    stdin, sys.stdin = sys.stdin, io.StringIO(pressed)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = import_module(words[1]).main(list(words[2:])) if words[0] == "-m" else run_command(list(words))
    finally:
        sys.stdin = stdin
    return code, out.getvalue(), both.getvalue()


def shown(cast: Cast) -> str:
    """The output that a picture shows, with the terminal's colours.

    Raises:
        RuntimeError: If the command ended with another exit code.
    """
    if cast.recorded:
        text = (ROOT / cast.recorded).read_text("utf-8").rstrip()
        return re.findall(r"^```text\n(.*?)\n```$", text, re.M | re.S)[0] if cast.recorded.endswith(".md") else text
    with workplace(), ExitStack() as stack:
        stands_for = cast.prepare(stack)
        if cast.running:
            return _running(cast.running)
        words = [stands_for.get(word, word) for word in shlex.split(cast.command)[1:]]
        code, out, both = _run(words, cast.pressed)
    if code != cast.code:
        raise RuntimeError(f"{cast.command} ended with {code} instead of {cast.code}:\n{both}")
    text = both if cast.errors else out
    for word, real in stands_for.items():
        text = text.replace(real.partition("=")[2], word.partition("=")[2])
    lines = text.rstrip().splitlines()
    begins = [place for place, line in enumerate(lines) if CODES.sub("", line).startswith(cast.begin)]
    lines = lines[begins[0] :]
    return "\n".join(lines[: cast.lines] if cast.lines else lines)


def _running(texts: int) -> str:
    """The display of the sweep `sweep.toml` after so many texts."""
    from sweeps import Sweep
    from sweeps.progress.base import Observation
    from sweeps.progress.live import RichProgress

    seen: list[str] = []

    class Still(RichProgress):
        def observe(self, observation: Observation) -> None:
            super().observe(observation)
            seen.append("")
            if len(seen) == texts:
                still = Console(file=io.StringIO(), width=WIDTH, force_terminal=True)
                still.print(self._render())
                seen[-1] = still.file.getvalue()  # type: ignore[attr-defined]

    with Still(Console(file=io.StringIO(), width=WIDTH)) as view:
        Sweep.from_toml("sweep.toml", progress=view, tracking=False).run()
    return "".join(seen).rstrip()


def picture(name: str, cast: Cast) -> str:
    """A cast as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("$ ", style="bold green") + Text(cast.command, style="bold"))
    console.print(Text.from_ansi(shown(cast)))
    return console.export_svg(title="", theme=COLOURS, code_format=FRAME, unique_id=f"cast-{name}")


def text_of(svg: str) -> list[str]:
    """The words of each line of a picture."""
    cells: dict[str, list[str]] = {}
    for line, text in re.findall(r"<text [^>]*clip-path=\"url\(#[\w-]+-(line-\d+)\)\"[^>]*>(.*?)</text>", svg):
        cells.setdefault(line, []).append(unescape(text).replace("\xa0", " "))
    return [" ".join("".join(parts).split()) for parts in cells.values()]


def main(names: Sequence[str]) -> int:
    """Make pictures and write them."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name in names or CASTS:
        svg = picture(name, CASTS[name])
        (PICTURES / f"{name}.svg").write_text(svg, "utf-8")
        print(f"{name}: {len(svg) / 1000:.0f} kB, {len(text_of(svg))} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
