"""What ``annotate --questions`` spares against the same pairs in a table: ``python -m benchmarks.question_sets``.

Both stages of annotate run in this process, without Ray, over the units that annotate plans: read, tokenised, packed
for the way to a replica, unpacked, scored, written. Set (long and ``--wide``) and table take turns, and CPU time is
compared, so that a busy machine matters little; bytes are those that travel from reading tasks to replicas. Short
contexts are SQuAD passages, long ones are passages joined to about 20,000 characters. ``--no-model`` puts one narrow
layer in the model's place: what is left is what the set could spare at all.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.comparison.machine import this_machine
from benchmarks.engines import MODEL, RESULTS, SQUAD, versions
from benchmarks.joined_documents import SizeClass, join_documents, read_passages
from ray_qa import AnnotateConfig
from ray_qa.annotation.output import join_plan, plan_digest
from ray_qa.annotation.planning import check_what_is_named, plan_of
from ray_qa.annotation.reading_tasks import blocks_to_read
from ray_qa.annotation.stages import AnnotateJob, Annotator, encode_units, schema_to_read, summary_from_row
from ray_qa.reader import stopwatch
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.batching import BATCH_TOKENS
from ray_qa.reader.calibration import Decision
from ray_qa.runs.ownership import claim

QUESTIONS = (
    "When did it begin?",
    "Who was the leader?",
    "Where is it?",
    "How many people were there?",
    "What is it made of?",
    "Why did it end?",
    "Which language was spoken?",
    "What is the name of the largest one?",
    "How much did it cost?",
    "In which year was it finished?",
)
FORMS = ("table", "set", "wide")
LONG = SizeClass(least=18_000, most=22_000, documents=1_000, questions=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One run over all pairs: CPU seconds, those of each step among them, and bytes."""

    seconds: float
    steps: dict[str, float]
    handed_over: int
    written: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Passes over the same pairs in each form, which took turns."""

    contexts: int
    characters: float
    pairs: int
    passes: dict[str, list[Pass]]

    def seconds(self, form: str) -> float:
        """A form's least CPU seconds: what else the machine does only adds to them."""
        return min(each.seconds for each in self.passes[form])

    def gain(self, form: str) -> float:
        """Pairs for each CPU second, for one of the table's."""
        return self.seconds("table") / self.seconds(form)


def main() -> None:
    """Measure, print, write ``benchmarks/results/question_sets.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SQUAD, help="Parquet file of SQuAD's columns")
    parser.add_argument("--model", default=str(MODEL))
    parser.add_argument("--no-model", action="store_true", help="one narrow layer instead of the model")
    parser.add_argument("--short", type=int, default=60, help="contexts of one passage")
    parser.add_argument("--long", type=int, default=2, help="contexts of about 20,000 characters")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    if not options.data.is_file():
        sys.exit(f"--data must be a Parquet file, but {options.data} is none; name one of yours")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    articles = read_passages(options.data)
    short = [passage.text for article in articles for passage in article][: options.short]
    long = [document.text for _, document in zip(range(options.long), join_documents(articles, LONG, 0), strict=False)]
    compared = {}
    with tempfile.TemporaryDirectory() as folder:
        model = _narrow_model(Path(options.model), Path(folder) / "model") if options.no_model else Path(options.model)
        for name, contexts in {"short": short, "long": long}.items():
            if contexts:
                compared[name] = compare(contexts, model, Path(folder) / name, options.repeats)
                print(describe(name, compared[name]), flush=True)
    record = {
        "machine": asdict(this_machine()),
        "versions": versions(),
        "model": options.model,
        "narrow": options.no_model,
    }
    RESULTS.mkdir(exist_ok=True)
    written = record | {
        name: asdict(each) | {form: each.gain(form) for form in FORMS} for name, each in compared.items()
    }
    (RESULTS / "question_sets.json").write_text(json.dumps(written, indent=1) + "\n")


def compare(contexts: Sequence[str], model: Path, folder: Path, repeats: int) -> Compared:
    """Run all forms over the same contexts, in turn."""
    folder.mkdir()
    pq.write_table(pa.table({"context": contexts}), folder / "contexts.parquet")
    pairs = [{"context": context, "question": question} for context in contexts for question in QUESTIONS]
    pq.write_table(pa.Table.from_pylist(pairs), folder / "pairs.parquet")
    (folder / "questions.txt").write_text("\n".join(QUESTIONS))
    passes: dict[str, list[Pass]] = {form: [] for form in FORMS}
    for repeat in range(repeats):
        for form in FORMS[repeat % len(FORMS) :] + FORMS[: repeat % len(FORMS)]:
            passes[form].append(_pass(_config(form, model, folder)))
    return Compared(
        contexts=len(contexts),
        characters=statistics.mean(map(len, contexts)),
        pairs=len(pairs),
        passes=passes,
    )


def _config(form: str, model: Path, folder: Path) -> AnnotateConfig:
    asked = {} if form == "table" else {"questions": str(folder / "questions.txt"), "wide": form == "wide"}
    return AnnotateConfig(
        input=(str(folder / ("pairs.parquet" if form == "table" else "contexts.parquet")),),
        output=str(folder / "out"),
        model=str(model),
        profile=True,
        **asked,
    )


def _pass(config: AnnotateConfig) -> Pass:
    """Both stages over all units, as one reading task and one replica of one thread would work."""
    shutil.rmtree(config.output, ignore_errors=True)
    Path(config.output).mkdir()
    named = check_what_is_named(config, config.folder)
    plan = join_plan(config.folder, plan_of(config, named))
    job = AnnotateJob(
        config=config,
        model=named.model,
        schema=schema_to_read(named.inputs.schema, config.columns(named.questions)),
        questions=named.questions,
        arithmetic=Arithmetic(device="cpu", dtype="float32", batch_tokens=BATCH_TOKENS["reading"]["cpu"]),
        calibration=(),
        int8=None,
        threads=1,
        again=frozenset(),
        plan=plan_digest(plan),
        decision=Decision(),
    )
    claim(config.folder, job.plan)
    # A stopwatch of CPU time: of all threads of this process, of which one at a time works.
    with patch.object(stopwatch, "time", SimpleNamespace(perf_counter=time.process_time)):
        replica = Annotator(job)
        began = time.process_time()
        steps: defaultdict[str, float] = defaultdict(float)
        handed_over = 0
        for block in blocks_to_read(plan.units, named.inputs.sources):
            for unit in encode_units(block, job):
                handed_over += unit.nbytes
                (row,) = replica(unit).to_pylist()
                for name, seconds in asdict(summary_from_row(row).steps).items():
                    steps[name] += seconds
        seconds = time.process_time() - began
    return Pass(
        seconds=seconds,
        steps={name: steps[name] for name in steps if name not in ("wait", "ray")},
        handed_over=handed_over,
        written=sum(part.stat().st_size for part in Path(config.output).glob("part-*.parquet")),
    )


def _narrow_model(model: Path, folder: Path) -> Path:
    """A model of one narrow layer, which knows nothing, with the tokenizer of another."""
    from transformers import AutoConfig, BertForQuestionAnswering

    narrow = {"num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 1, "intermediate_size": 16}
    config = AutoConfig.from_pretrained(model, **narrow)
    BertForQuestionAnswering(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        if (model / name).exists():
            shutil.copy(model / name, folder / name)
    return folder


def describe(name: str, compared: Compared) -> str:
    """The table that is printed."""
    lines = [
        f"{name}: {compared.contexts:,} contexts of {compared.characters:,.0f} characters, {compared.pairs:,} pairs; "
        f"the least of {len(compared.passes['set'])} passes",
        f"{'CPU seconds':<14}" + "".join(f"{form:>10}" for form in FORMS),
    ]
    rows = {step: {form: _least(compared, form, step) for form in FORMS} for step in compared.passes["set"][0].steps}
    rows["all"] = {form: compared.seconds(form) for form in FORMS}
    lines += [f"{step:<14}" + "".join(f"{of[form]:>10.3f}" for form in FORMS) for step, of in rows.items()]
    for what in ("handed_over", "written"):
        sizes = [getattr(compared.passes[form][0], what) for form in FORMS]
        lines.append(f"{what + ' kB':<14}" + "".join(f"{size / 1_000:>10,.0f}" for size in sizes))
    gains = ", ".join(f"{form} {compared.gain(form):.3f}" for form in FORMS[1:])
    return "\n".join([*lines, f"pairs for each CPU second against the table's: {gains}"])


def _least(compared: Compared, form: str, step: str) -> float:
    return min(each.steps[step] for each in compared.passes[form])


if __name__ == "__main__":
    main()
