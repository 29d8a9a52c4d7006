"""Loading a model's tokenizer: made by transformers once a machine, then by tokenizers alone, which is quick."""

from __future__ import annotations

import functools
import json
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ray_qa.errors import ModelError, first_line
from ray_qa.reader.collate import Template
from ray_qa.reader.model_cache import kept
from ray_qa.reader.model_files import digest_of_files, tokenizer_files
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.transformers_logging import quiet_transformers

FORM = 1
"""Goes up when what is kept of a tokenizer changes."""
TOKENIZER, PAIRS = "tokenizer.json", "pairs.json"


def load_pair_tokenizer(folder: Path) -> PairTokenizer:
    """Load the tokenizer of a model folder; one whose files have not changed since is not loaded again.

    Raises:
        ModelError: if it cannot be loaded, is not a fast one, or puts no CLS/BOS token into a window.
    """
    # The configuration may say which class the tokenizer is of.
    return _load(folder, digest_of_files([*tokenizer_files(folder), *folder.glob("config.json")]))


@functools.lru_cache(maxsize=4)
def _load(folder: Path, digest: str) -> PairTokenizer:
    key = [FORM, digest, version("transformers"), version("tokenizers")]
    try:
        return _read(kept("tokenizers", key, partial(_write, folder)))
    except OSError:  # a cache that cannot be written to is a cache that is not there
        return _made_by_transformers(folder)


def _write(model_folder: Path, folder: Path) -> None:
    tokenizer = _made_by_transformers(model_folder)
    tokenizer.fast_tokenizer.save(str(folder / TOKENIZER), pretty=False)
    pairs = {
        "template": asdict(tokenizer.template),
        "special_ids": sorted(tokenizer.special_ids),
        "unknown_id": tokenizer.unknown_id,
    }
    (folder / PAIRS).write_text(json.dumps(pairs))


def _read(folder: Path) -> PairTokenizer:
    pairs = json.loads((folder / PAIRS).read_text())
    template: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in pairs["template"].items()
    }
    return PairTokenizer(
        fast_tokenizer=_stripped(Tokenizer.from_file(str(folder / TOKENIZER))),
        template=Template(**template),
        special_ids=frozenset(pairs["special_ids"]),
        unknown_id=pairs["unknown_id"],
    )


def _made_by_transformers(folder: Path) -> PairTokenizer:
    tokenizer = _load_tokenizer(folder)
    fast = _stripped(tokenizer.backend_tokenizer)
    template = _probe_template(tokenizer, folder)
    unknown = tokenizer.unk_token_id
    return PairTokenizer(
        fast_tokenizer=fast,
        template=template,
        special_ids=frozenset(tokenizer.all_special_ids) - {unknown},
        unknown_id=template.pad_id if unknown is None else unknown,
    )


def _stripped(fast: Any) -> Any:
    """A tokenizer without truncation and padding of its own, to which texts are but texts."""
    fast.no_truncation()
    fast.no_padding()
    # Otherwise "[SEP]" or "</s>" in a text would become the real special token.
    fast.encode_special_tokens = True
    return fast


def _load_tokenizer(folder: Path) -> Any:
    with quiet_transformers() as transformers:
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # transformers raises whatever the file at hand provoked
            raise ModelError(
                f"`model` must have a tokenizer, but that of {folder} cannot be loaded: {first_line(error)}"
            ) from error
    if not tokenizer.is_fast:
        raise ModelError(
            f"`model` must have a fast tokenizer (tokenizer.json), but that of {folder} is the slow "
            f"{type(tokenizer).__name__}; save a fast version beside the model"
        )
    return tokenizer


def _probe_template(tokenizer: Any, folder: Path) -> Template:
    """Read off one encoded pair how this tokenizer joins two texts."""
    pair = tokenizer.backend_tokenizer.encode("a", "b")
    sides = list(pair.sequence_ids)
    if 0 not in sides or 1 not in sides or tokenizer.unk_token_id in pair.ids:
        raise ModelError(
            f"`model` must have a tokenizer that knows the letters a and b, but that of {folder} does not; "
            "are all its files there (tokenizer.json)?"
        )
    question, context = sides.index(0), sides.index(1)
    question_end = len(sides) - sides[::-1].index(0)
    context_end = len(sides) - sides[::-1].index(1)
    before = tuple(pair.ids[:question])
    anchors = [token for token in (tokenizer.cls_token_id, tokenizer.bos_token_id) if token in before]
    if not anchors or context < question:
        raise ModelError(
            f"`model` must put a CLS or BOS token before the question (it scores 'no answer'), but the tokenizer of "
            f"{folder} begins a pair with {pair.tokens[: question + 1]}; use an encoder such as RoBERTa or BERT"
        )
    takes_types = "token_type_ids" in tokenizer.model_input_names
    return Template(
        before=before,
        between=tuple(pair.ids[question_end:context]),
        after=tuple(pair.ids[context_end:]),
        null_position=before.index(anchors[0]),
        pad_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0,
        context_type=pair.type_ids[context] if takes_types else None,
    )
