"""Tiny tokenizers and models that tests build for themselves: trained in well under a second, weights at random.

The folders are what transformers itself would save: AutoTokenizer and AutoModelForQuestionAnswering load them.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from ray_qa.reader.transformers_logging import quiet_transformers

TokenizerFamily = Literal["byte_level_bpe", "word_piece", "sentence_piece", "deberta", "mpnet"]
"""As RoBERTa, BERT, XLM-R, DeBERTa v2 (SentencePiece that normalises white space) and MPNet (WordPiece, <s>) do it."""
TOKENIZER_FAMILIES: tuple[TokenizerFamily, ...] = ("byte_level_bpe", "word_piece", "sentence_piece", "deberta", "mpnet")
TOKENIZER_OF: dict[str, TokenizerFamily] = {
    "roberta": "byte_level_bpe",
    "modernbert": "byte_level_bpe",
    "bert": "word_piece",
    "distilbert": "word_piece",
    "electra": "word_piece",
    "mpnet": "mpnet",
    "xlm-roberta": "sentence_piece",
    "deberta-v2": "deberta",
}
"""Model types that can be built, with the tokenizer each is given."""
NUMBERED_FROM_PADDING = ("roberta", "xlm-roberta", "mpnet")
"""Model types whose first position is padding id + 1, so that 514 positions make 512 usable ones."""

TEXT = (
    "Who was Jim Henson? Jim Henson was a nice puppet.",
    "The quick brown fox jumps over the lazy dog, but the dog does not mind: it is asleep in the sun.",
    "In 1815 the river rose by 3.5 metres (about 11 feet) and the old bridge at Ulm was carried away.",
    "Where does the river rise? When was the bridge built? How many people live in the town?",
    "She said: “It isn't far”, and walked on – the town of Ärzen lay beyond the hills; café, naïve, Zürich.",
    "東京は日本の首都です。人口は約千四百万人です。",
    "Москва является столицей России. Ελλάδα. مرحبا بالعالم",
    "e\u0301 a\u0308 \u2460 \ufb01n 😀 👩\u200d👩\u200d👧 👍🏽",
)


def tiny_reader(folder: Path, *, seed: int = 0) -> Path:
    """Save a RoBERTa question answerer (2 layers, 32 wide, 512 usable positions) that knows nothing; gives ``folder``.

    Its scores are spread widely enough that spans hardly ever tie, and differ with ``seed``.
    """
    return tiny_model(folder, "roberta", seed=seed)


def tiny_bert(folder: Path, *, seed: int = 0) -> Path:
    """The same for BERT, with a WordPiece tokenizer and segment ids."""
    return tiny_model(folder, "bert", seed=seed)


def tiny_xlm_roberta(folder: Path, *, seed: int = 0) -> Path:
    """The same for XLM-RoBERTa, with a SentencePiece-like tokenizer."""
    return tiny_model(folder, "xlm-roberta", seed=seed)


def tiny_model(folder: Path, model_type: str, *, seed: int = 0, class_of: Any = None) -> Path:
    """Save a random model of a type in ``TOKENIZER_OF``, and its tokenizer.

    Args:
        folder: where to; made if need be.
        model_type: transformers' name of the architecture.
        seed: of the random weights.
        class_of: what to build, if not ``AutoModelForQuestionAnswering``; ``AutoModel`` has no span head.
    """
    overrides: dict[str, Any] = {}
    if model_type == "distilbert":
        overrides = {"tokenizer_class": "DistilBertTokenizer"}
    elif model_type == "modernbert":
        overrides = {"tokenizer_class": "PreTrainedTokenizerFast"}
    save_tokenizer(folder, TOKENIZER_OF[model_type], **overrides)
    save_model(folder, class_of or transformers.AutoModelForQuestionAnswering, tiny_config(model_type), seed=seed)
    return folder


def tiny_config(model_type: str, **overrides: Any) -> Any:
    """A configuration of 2 layers, 32 wide, whose random weights are large enough to tell tokens apart."""
    tokenizer = _trained(TOKENIZER_OF[model_type])
    pad_id = tokenizer.token_to_id("<pad>") or 0
    settings: dict[str, Any] = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2}
    if model_type == "distilbert":
        settings = {"n_layers": 2, "dim": 32, "n_heads": 2, "hidden_dim": 64}
    elif model_type == "electra":
        settings |= {"embedding_size": 16}
    elif model_type == "modernbert":
        settings |= {"cls_token_id": 0, "sep_token_id": 2, "bos_token_id": 0, "eos_token_id": 2, "local_attention": 16}
    elif model_type == "deberta-v2":
        settings |= {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16}
    settings |= {
        "vocab_size": tokenizer.get_vocab_size(),
        "pad_token_id": pad_id,
        "intermediate_size": 64,
        "max_position_embeddings": 512 + (pad_id + 1 if model_type in NUMBERED_FROM_PADDING else 0),
        "initializer_range": 0.4,
    }
    return transformers.AutoConfig.for_model(model_type, **settings | overrides)


def save_model(folder: Path, class_of: Any, config: Any, *, seed: int = 0) -> None:
    """Save a model with random weights, in safetensors; torch's own random state is left as it was.

    ``class_of`` is a model class, or an ``Auto`` class.
    """
    build = getattr(class_of, "from_config", class_of)
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.manual_seed(seed)
        build(config).save_pretrained(folder)


def save_tokenizer(folder: Path, family: TokenizerFamily, **overrides: Any) -> Path:
    """Save a tokenizer as ``tokenizer.json`` and ``tokenizer_config.json``; gives ``folder``.

    ``overrides`` replace entries of ``tokenizer_config.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _trained(family).save(str(folder / "tokenizer.json"))
    cls, sep, pad, unk, mask = _specials(family)
    config = {
        "tokenizer_class": {
            "byte_level_bpe": "RobertaTokenizer",
            "word_piece": "BertTokenizer",
            "sentence_piece": "XLMRobertaTokenizer",
            "deberta": "DebertaV2Tokenizer",
            "mpnet": "MPNetTokenizer",
        }[family],
        "model_max_length": 512,
        "bos_token": cls,
        "cls_token": cls,
        "eos_token": sep,
        "sep_token": sep,
        "pad_token": pad,
        "unk_token": unk,
        "mask_token": mask,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config | overrides))
    return folder


def _specials(family: TokenizerFamily) -> tuple[str, str, str, str, str]:
    """CLS, SEP, padding, unknown and mask."""
    if family in ("word_piece", "deberta"):
        return "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"
    return "<s>", "</s>", "<pad>", "[UNK]" if family == "mpnet" else "<unk>", "<mask>"


@functools.cache
def _trained(family: TokenizerFamily) -> Tokenizer:
    """Train a tokenizer on ``TEXT``; the special tokens get the ids 0 to 4 in the order of the real ones."""
    cls, sep, pad, unk, mask = _specials(family)
    order = [cls, pad, sep, unk, mask] if cls == "<s>" else [pad, unk, cls, sep, mask]
    settings: dict[str, Any] = {"vocab_size": 400, "show_progress": False, "special_tokens": order}
    if family == "byte_level_bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer: Any = trainers.BpeTrainer(min_frequency=1, initial_alphabet=alphabet, **settings)
    elif family in ("word_piece", "mpnet"):
        tokenizer = Tokenizer(models.WordPiece(unk_token=unk))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(min_frequency=1, **settings)
    else:
        tokenizer = Tokenizer(models.Unigram())
        metaspace = pre_tokenizers.Metaspace()
        if family == "deberta":
            blanks, last = normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " "), normalizers.Strip(left=False)
            tokenizer.normalizer = normalizers.Sequence([blanks, normalizers.NFC(), last])
            tokenizer.pre_tokenizer = metaspace
        else:
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
        trainer = trainers.UnigramTrainer(unk_token=unk, **settings)
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = _joiner(family, tokenizer)
    return tokenizer


def _joiner(family: TokenizerFamily, tokenizer: Tokenizer) -> Any:
    """What puts the special tokens around a pair."""
    cls, sep = _specials(family)[:2]
    ids = tokenizer.get_vocab()
    if family in ("byte_level_bpe", "mpnet"):
        return processors.RobertaProcessing((sep, ids[sep]), (cls, ids[cls]), trim_offsets=True, add_prefix_space=False)
    two_segments = f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1"
    return processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} {sep} $B {sep}" if family == "sentence_piece" else two_segments,
        special_tokens=[(cls, ids[cls]), (sep, ids[sep])],
    )
