"""Several sequences at once in one context of llama.cpp, through its C interface.

The embedded engine has one request in flight, since more would change the batch's shape and so the text of a seed. Here
texts are wanted, not repeatable ones. All sequences of a batch continue one prompt, which is evaluated once.

The library is the one that xllamacpp brings, or another build of a near version (`llama_context_params` must be the
same; the defaults are compared). A build for the processor at hand is faster: see `batched.py`.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONTEXT = 700
"""Tokens of context for each sequence; the prompt counts once, so it is plenty."""

LAST_TOKENS = 64
"""Ollama's repeat_last_n."""

_BATCH, _STEP = 1024, 512
_POINTER, _INT, _WHOLE, _FLOAT, _FLAG = c.c_void_p, c.c_int32, c.c_uint32, c.c_float, c.c_bool
_INTS = c.POINTER(_INT)


def _fields(kind: Any, names: str) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


class _ModelParams(c.Structure):
    _fields_ = [
        *_fields(_POINTER, "devices tensor_buft_overrides"),
        *_fields(_INT, "n_gpu_layers split_mode load_mode lazy_mode main_gpu"),
        *_fields(_POINTER, "tensor_split progress_callback progress_callback_user_data kv_overrides"),
        *_fields(_FLAG, "vocab_only check_tensors use_extra_bufts no_host no_alloc load_mtp"),
    ]


class _ContextParams(c.Structure):
    _fields_ = [
        *_fields(_WHOLE, "n_ctx n_batch n_ubatch n_seq_max n_rs_seq n_outputs_max n_outputs_max_per_seq"),
        *_fields(_INT, "n_threads n_threads_batch"),
        *_fields(_INT, "ctx_type rope_scaling_type pooling_type attention_type flash_attn_type"),
        *_fields(
            _FLOAT,
            "rope_freq_base rope_freq_scale yarn_ext_factor yarn_attn_factor yarn_beta_fast yarn_beta_slow",
        ),
        *_fields(_WHOLE, "yarn_orig_ctx"),
        *_fields(_FLOAT, "defrag_thold"),
        *_fields(_POINTER, "cb_eval cb_eval_user_data"),
        *_fields(_INT, "type_k type_v"),
        *_fields(_POINTER, "abort_callback abort_callback_data"),
        *_fields(_FLAG, "embeddings offload_kqv no_perf op_offload swa_full kv_unified"),
        ("samplers", _POINTER),
        ("n_samplers", c.c_size_t),
        ("ctx_other", _POINTER),
    ]


class _Batch(c.Structure):
    _fields_ = [
        ("n_tokens", _INT),
        ("token", _INTS),
        ("embd", _POINTER),
        *_fields(_INTS, "pos n_seq_id"),
        ("seq_id", c.POINTER(_INTS)),
        ("logits", c.POINTER(c.c_int8)),
    ]


class _ChainParams(c.Structure):
    _fields_ = [("no_perf", _FLAG)]


_FUNCTIONS: Mapping[str, tuple[Any, ...]] = {
    "llama_model_default_params": (_ModelParams,),
    "llama_context_default_params": (_ContextParams,),
    "llama_sampler_chain_default_params": (_ChainParams,),
    "llama_model_load_from_file": (_POINTER, c.c_char_p, _ModelParams),
    "llama_init_from_model": (_POINTER, _POINTER, _ContextParams),
    "llama_model_free": (None, _POINTER),
    "llama_free": (None, _POINTER),
    "llama_model_get_vocab": (_POINTER, _POINTER),
    "llama_vocab_n_tokens": (_INT, _POINTER),
    "llama_vocab_is_eog": (_FLAG, _POINTER, _INT),
    "llama_get_memory": (_POINTER, _POINTER),
    "llama_memory_clear": (None, _POINTER, _FLAG),
    "llama_memory_seq_cp": (None, _POINTER, _INT, _INT, _INT, _INT),
    "llama_memory_seq_rm": (_FLAG, _POINTER, _INT, _INT, _INT),
    "llama_batch_init": (_Batch, _INT, _INT, _INT),
    "llama_batch_free": (None, _Batch),
    "llama_decode": (_INT, _POINTER, _Batch),
    "llama_tokenize": (_INT, _POINTER, c.c_char_p, _INT, _INTS, _INT, _FLAG, _FLAG),
    "llama_detokenize": (_INT, _POINTER, _INTS, _INT, c.c_char_p, _INT, _FLAG, _FLAG),
    "llama_sampler_chain_init": (_POINTER, _ChainParams),
    "llama_sampler_chain_add": (None, _POINTER, _POINTER),
    "llama_sampler_free": (None, _POINTER),
    "llama_sampler_init_penalties": (_POINTER, _INT, _INT, _FLOAT, _FLOAT, _FLOAT),
    "llama_sampler_init_top_k": (_POINTER, _INT),
    "llama_sampler_init_top_p": (_POINTER, _FLOAT, c.c_size_t),
    "llama_sampler_init_min_p": (_POINTER, _FLOAT, c.c_size_t),
    "llama_sampler_init_temp": (_POINTER, _FLOAT),
    "llama_sampler_init_dist": (_POINTER, _WHOLE),
    "llama_sampler_accept": (None, _POINTER, _INT),
    "llama_sampler_sample": (_INT, _POINTER, _POINTER, _INT),
}
"""The functions that are called: type of the result, then of the arguments."""

_SILENT = c.CFUNCTYPE(None, _INT, c.c_char_p, _POINTER)(lambda _level, _text, _data: None)


def open_library(folder: Path | None = None) -> Any:
    """Open llama.cpp's library.

    Args:
        folder: Folder with `libllama*`, `libggml*` and the backends of a shared build; xllamacpp's own by default.

    Raises:
        SystemExit: If there is none, or one whose parameters are laid out differently.
    """
    if folder is None:
        import xllamacpp

        names = list(Path(xllamacpp.__file__).parent.glob("xllamacpp*.so"))
    else:
        parts = ("libggml-base*.so*", "libggml.*so*", "libllama.*so*")
        names = [path for part in parts for path in sorted(folder.glob(part))[:1]]
    if not names:
        raise SystemExit(f"no shared library of llama.cpp in {folder}; name its folder with --library")
    # Not global: xllamacpp in the same process has functions of the same names.
    opened = [c.CDLL(str(name)) for name in names]
    library = opened[-1]
    library.llama_log_set(_SILENT, None)
    if folder is not None:
        opened[-2].ggml_backend_load_all_from_path(str(folder).encode())
    library.llama_backend_init()
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    usual = library.llama_context_default_params()
    if (usual.n_ctx, usual.n_batch, usual.n_seq_max, usual.type_k, usual.n_samplers) != (512, 2048, 1, 1, 0):
        raise SystemExit(
            f"{names[-1].name} is of another version of llama.cpp; its parameters are laid out differently"
        )
    return library


@dataclass(frozen=True)
class Answer:
    """A finished sequence: index of its request, text, `stop` or `length`, and tokens with the end token."""

    index: int
    text: str
    finish: str
    tokens: int


@dataclass
class _Sequence:
    """A sequence that runs: its request, sampler, next token and its place, and the tokens so far."""

    index: int
    limit: int
    sampler: Any
    token: int
    place: int
    tokens: list[int] = field(default_factory=list)


class BatchedModel:
    """A model with room for several sequences, on one thread.

    Args:
        path: The GGUF file.
        slots: Sequences at once.
        folder: See `open_library`.

    Raises:
        SystemExit: If llama.cpp cannot load the file.
    """

    def __init__(self, path: Path, slots: int, folder: Path | None = None) -> None:
        self._library = library = open_library(folder)
        params = library.llama_model_default_params()
        params.n_gpu_layers = 0
        self._model = library.llama_model_load_from_file(str(path).encode(), params)
        context = library.llama_context_default_params()
        context.n_ctx, context.n_seq_max = CONTEXT * slots, slots
        context.n_batch, context.n_ubatch = _BATCH, _STEP
        context.n_threads = context.n_threads_batch = 1
        context.kv_unified, context.flash_attn_type, context.no_perf = True, 0, True
        self._context = library.llama_init_from_model(self._model, context) if self._model else None
        if not self._context:
            raise SystemExit(f"llama.cpp cannot load {path}")
        self._vocabulary = library.llama_model_get_vocab(self._model)
        self._memory = library.llama_get_memory(self._context)
        self._batch = library.llama_batch_init(_BATCH, 0, 1)
        self._slots = slots

    def close(self) -> None:
        """Free the memory."""
        self._library.llama_batch_free(self._batch)
        self._library.llama_free(self._context)
        self._library.llama_model_free(self._model)

    def tokens(self, rendered: str) -> list[int]:
        """Tokens of a rendered prompt."""
        raw = rendered.encode()
        room = (_INT * (len(raw) + 8))()
        count = self._library.llama_tokenize(self._vocabulary, raw, len(raw), room, len(room), True, True)
        return list(room[:count])

    def answers(self, prompt: Sequence[int], requests: Sequence[Mapping[str, Any]]) -> Iterator[Answer]:
        """Continue a prompt once per request, `slots` at a time; a sequence that ends makes room for the next.

        Args:
            prompt: From `tokens`.
            requests: Options with their seed.
        """
        library, last = self._library, len(prompt) - 1
        self._evaluate(prompt[:-1])
        waiting, running = list(enumerate(requests))[::-1], dict[int, _Sequence]()
        while waiting or running:
            for slot in range(self._slots):
                if slot not in running and waiting:
                    index, options = waiting.pop()
                    library.llama_memory_seq_rm(self._memory, slot, last, -1)
                    sampler = self._sampler(options, prompt)
                    running[slot] = _Sequence(index, int(options["num_predict"]), sampler, prompt[-1], last)
            self._decode([(each.token, each.place, slot, True) for slot, each in running.items()])
            for row, (slot, each) in enumerate(list(running.items())):
                each.token = library.llama_sampler_sample(each.sampler, self._context, row)
                each.place += 1
                ended = library.llama_vocab_is_eog(self._vocabulary, each.token)
                if not ended:
                    each.tokens.append(each.token)
                if ended or len(each.tokens) >= each.limit:
                    finish, count = ("stop", len(each.tokens) + 1) if ended else ("length", len(each.tokens))
                    yield Answer(each.index, self._text(each.tokens), finish, count)
                    library.llama_sampler_free(each.sampler)
                    del running[slot]

    def _evaluate(self, tokens: Sequence[int]) -> None:
        """Evaluate the beginning that all sequences share."""
        self._library.llama_memory_clear(self._memory, False)
        for start in range(0, len(tokens), _STEP):
            part = tokens[start : start + _STEP]
            self._decode([(token, start + place, 0, False) for place, token in enumerate(part)])
        for slot in range(1, self._slots):
            self._library.llama_memory_seq_cp(self._memory, 0, slot, -1, -1)

    def _decode(self, entries: Sequence[tuple[int, int, int, bool]]) -> None:
        """Evaluate tokens with their places and sequences; the last says whether to sample after it."""
        batch = self._batch
        for row, (token, place, slot, sampled) in enumerate(entries):
            batch.token[row], batch.pos[row], batch.n_seq_id[row] = token, place, 1
            batch.seq_id[row][0], batch.logits[row] = slot, sampled
        batch.n_tokens = len(entries)
        if failed := self._library.llama_decode(self._context, batch):
            raise SystemExit(f"llama.cpp cannot decode: {failed}")

    def _sampler(self, options: Mapping[str, Any], prompt: Sequence[int]) -> Any:
        """The samplers in the order of llama.cpp's server, with the end of the prompt for the penalty."""
        library = self._library
        chain = library.llama_sampler_chain_init(library.llama_sampler_chain_default_params())
        size = library.llama_vocab_n_tokens(self._vocabulary)
        for part in (
            library.llama_sampler_init_penalties(size, LAST_TOKENS, options["repeat_penalty"], 0.0, 0.0),
            library.llama_sampler_init_top_k(int(options["top_k"])),
            library.llama_sampler_init_top_p(options["top_p"], 0),
            library.llama_sampler_init_min_p(options["min_p"], 0),
            library.llama_sampler_init_temp(options["temperature"]),
            library.llama_sampler_init_dist(int(options["seed"])),
        ):
            library.llama_sampler_chain_add(chain, part)
        for token in prompt[-LAST_TOKENS:]:
            library.llama_sampler_accept(chain, token)
        return chain

    def _text(self, tokens: Sequence[int]) -> str:
        if not tokens:
            return ""
        room = c.create_string_buffer(16 * len(tokens) + 64)
        given = (_INT * len(tokens))(*tokens)
        size = self._library.llama_detokenize(self._vocabulary, given, len(tokens), room, len(room), True, False)
        return room.raw[:size].decode("utf-8", "replace")
