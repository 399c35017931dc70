"""Summarise one log through Ollama with exported options; standard library only.

The options come from the OLLAMA_* variables of an exported env file (run_bundle.sh), or from an exported JSON file:

    python summarise.py log.txt
    python summarise.py log.txt --options exports/production.json
    python summarise.py - < log.txt
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

FLOATS = [
    "temperature",
    "top_p",
    "min_p",
    "typical_p",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
    "mirostat_tau",
    "mirostat_eta",
]
INTEGERS = [
    "top_k",
    "repeat_last_n",
    "num_ctx",
    "num_predict",
    "num_gpu",
    "num_thread",
    "num_batch",
    "draft_num_predict",
    "mirostat",
    "seed",
]


def texts(value: str) -> list[str]:
    """Read a list of texts; `docker --env-file` leaves the shell's quotes around it."""
    return json.loads(value.strip("'"))


def seconds(value: str) -> int | str:
    """Read how long the model stays loaded: a number of seconds, or a text such as 15m."""
    try:
        return int(value)
    except ValueError:
        return value


def decoded(log: bytes) -> str:
    """Decode a log as a sweep does: without a byte order mark, with Unix line ends."""
    return log.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


READERS = {**dict.fromkeys(FLOATS, float), **dict.fromkeys(INTEGERS, int), "stop": texts}
WORDS = {"true": True, "false": False}
NATIVE, OPENAI = "/api/chat", "/v1/chat/completions"
OPENAI_NAMES = {"num_predict": "max_tokens"}  # the other options have the same names there


def request_from_environment() -> dict[str, object]:
    """Make the request from OLLAMA_MODEL, OLLAMA_<OPTION>, OLLAMA_SYSTEM_FILE and OLLAMA_PROMPT_FILE."""
    if "OLLAMA_MODEL" not in os.environ:
        raise SystemExit("OLLAMA_MODEL is not set: source an exported .env file first, or give --options FILE.json")
    options = {}
    for name, read in READERS.items():
        if value := os.environ.get(f"OLLAMA_{name.upper()}"):
            try:
                options[name] = read(value)
            except ValueError as error:
                raise SystemExit(
                    f"OLLAMA_{name.upper()}={value} cannot be read: {error}; correct the variable"
                ) from None
    folder = Path(os.environ.get("OLLAMA_EXPORT_DIR", "."))
    messages = []
    if system := os.environ.get("OLLAMA_SYSTEM_FILE"):
        messages.append({"role": "system", "content": (folder / system).read_bytes().decode()})
    prompt = os.environ.get("OLLAMA_PROMPT_FILE")
    user = (folder / prompt).read_bytes().decode() if prompt else "{log}"
    messages.append({"role": "user", "content": user})
    think = os.environ.get("OLLAMA_THINK", "").lower()
    request = {"model": os.environ["OLLAMA_MODEL"], "messages": messages, "stream": False}
    if os.environ.get("OLLAMA_API_PATH") == OPENAI:
        effort = {} if think in ("", "true") else {"reasoning_effort": "none" if think == "false" else think}
        return request | {OPENAI_NAMES.get(name, name): value for name, value in options.items()} | effort
    if think:  # beside the options: among them Ollama would ignore it
        request["think"] = WORDS.get(think, think)
    if stay := os.environ.get("OLLAMA_KEEP_ALIVE"):
        request["keep_alive"] = seconds(stay)
    # By default a log longer than num_ctx is cut silently; with truncate false, the server refuses it.
    return request | {"options": options, "truncate": False}


def request_from_json(path: Path) -> dict[str, object]:
    """Return the request of an exported JSON file, without its notes on provenance."""
    body = json.loads(path.read_text(encoding="utf-8"))
    return {key: value for key, value in body.items() if key not in ("provenance", "warning", "caution")}


def send(request: dict[str, object], host: str, timeout: float = 600) -> dict[str, object]:
    """Ask the path that the request is for, and return its answer."""
    path = NATIVE if "options" in request else OPENAI
    url = (host if "://" in host else f"http://{host}").rstrip("/") + path
    post = urllib.request.Request(url, json.dumps(request).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(post, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(
            f"Ollama refused the request ({error.code}): {error.read().decode(errors='replace')}"
        ) from None
    except OSError as error:
        raise SystemExit(f"cannot reach Ollama at {url}: {error}; start it with `ollama serve`") from None


def main() -> None:
    """Read a log, print its summary."""
    parser = argparse.ArgumentParser(description="Summarise one log through Ollama with exported options.")
    parser.add_argument("log", help="the log's file, or - for standard input")
    parser.add_argument(
        "--options", type=Path, metavar="FILE.json", help="an exported JSON file; default: OLLAMA_* variables"
    )
    arguments = parser.parse_args()
    log = decoded(sys.stdin.buffer.read() if arguments.log == "-" else Path(arguments.log).read_bytes())
    request = request_from_json(arguments.options) if arguments.options else request_from_environment()
    for message in request["messages"]:
        message["content"] = message["content"].replace("{log}", log)
    answer = send(request, os.environ.get("OLLAMA_HOST") or "http://127.0.0.1:11434")
    choice = answer["choices"][0] if "choices" in answer else answer
    print(choice["message"]["content"])
    if "length" in (choice.get("done_reason"), choice.get("finish_reason")):
        print("cut off at num_predict", file=sys.stderr)


if __name__ == "__main__":
    main()
