"""From settings to a plan: what is named is found and checked, and the input split into units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from ray_qa.annotation.calibration import calibration_digest, calibration_inputs
from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.output import ALGORITHM, Plan, check_output, read_plan
from ray_qa.data.conversion import bring_into_parquet, is_brought
from ray_qa.data.data_sets import is_data_set
from ray_qa.data.file_search import FoundFile, FoundFiles, check_apart
from ray_qa.data.parquet_files import Inputs, describe_inputs
from ray_qa.data.question_sets import read_questions
from ray_qa.data.row_sources import NO_TABLES, find_rows
from ray_qa.data.schemas import check_columns, schema_as_text, schema_from_text
from ray_qa.data.units import RowGroup, auto_unit_rows, plan_units
from ray_qa.errors import InputError, OutputError, Problems, RayQaError, StorageError, first_line, listed
from ray_qa.reader.calibration import SETTING, Calibration, as_settings, decision_by, find_calibration
from ray_qa.reader.model_files import ModelFiles, find_model
from ray_qa.reader.openvino_conversion import check_installed
from ray_qa.reader.quantization import check_nncf_installed
from ray_qa.records import Question
from ray_qa.runs.log import notice
from ray_qa.runs.output_folder import ROWS
from ray_qa.runs.submitted_job import check_outlives_job
from ray_qa.settings import AUTO, deciding_settings
from ray_qa.storage.remote import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the settings lead to: the corpus, what is asked of it if that does not stand there, the model, rows to
    calibrate on that are not the corpus's own, and the parts that the output holds, as they are listed."""

    inputs: Inputs
    chosen: tuple[RowGroup, ...]
    """The rows of the corpus that are taken: all of them, as a rule."""
    questions: tuple[Question, ...]
    model: ModelFiles
    calibration: Calibration | None
    """What decides when the model abstains, and what its confidence stands for, if anything does."""
    apart: Inputs | None
    versions: Mapping[int, str]

    @property
    def rows(self) -> int:
        """Rows that come out."""
        return max(1, len(self.questions)) * sum(group.rows for group in self.chosen)


def check_what_is_named(config: AnnotateConfig, folder: Place, tables: Mapping[str, pa.Table] = NO_TABLES) -> Named:
    """Check output, input and model reference independently and report all their problems together.

    ``tables`` are those that the caller has, by the names under which ``input`` has them.

    Raises:
        RayQaError: with all problems that were found.
    """
    problems, elsewhere = Problems(), Problems()
    inputs: Inputs | None = None
    apart: Inputs | None = None
    model: ModelFiles | None = None
    calibration: Calibration | None = None
    versions: Mapping[int, str] = {}
    with problems.gather():
        versions = check_output(folder)
    with elsewhere.gather():
        for pattern in config.calibration:
            check_outlives_job("calibration", pattern)
        apart = calibration_inputs(config)
    with elsewhere.gather():
        if config.is_openvino:
            check_installed()
        if config.dtype == "int8":
            check_nncf_installed()
        model = find_model(config.model)
    with elsewhere.gather():
        if model is not None:
            if config.answer_calibration not in (AUTO, "none"):
                check_outlives_job(SETTING, config.answer_calibration)
            calibration = find_calibration(config.answer_calibration, model.folder, model.weights_sha256)
    questions: tuple[Question, ...] = ()
    with problems.gather():
        if config.questions is not None:
            check_outlives_job("questions", config.questions)
            questions = read_questions(config.questions)
    with problems.gather():
        if config.questions is not None and not questions:
            raise RayQaError  # said already
        inputs = _inputs(config, folder, tables, questions, may_convert=not (problems.found or elsewhere.found))
        check_columns(inputs.schema, config.columns(questions))
    problems.found += elsewhere.found
    problems.stop_here_if_any(InputError)
    assert inputs is not None
    assert model is not None
    return Named(
        inputs=inputs,
        chosen=tuple(config.choice.of(inputs.row_groups)),
        questions=questions,
        model=model,
        calibration=calibration,
        apart=apart,
        versions=versions,
    )


def _inputs(
    config: AnnotateConfig,
    folder: Place,
    tables: Mapping[str, pa.Table],
    questions: tuple[Question, ...],
    *,
    may_convert: bool,
) -> Inputs:
    """The input as Parquet files; what is none is brought into Parquet first, which takes its time."""
    patterns = [pattern for pattern in config.input if not (pattern in tables or is_data_set(pattern))]
    for pattern in patterns:
        check_outlives_job("input", pattern)
    found = find_rows(config.input, "input", tables, config.texts_in)
    check_apart(found.paths, patterns, folder, "input")
    others = [source.name for source in found.sources if not is_brought(source, folder / ROWS, config.limit)]
    if others and not may_convert:
        raise RayQaError  # said already
    if others:
        notice(f"`input` is brought into Parquet once, in {folder / ROWS}: {listed(others, 3)}")
    files: list[FoundFile] = []
    bad: list[str] = []
    for source in found.sources:
        try:
            brought = bring_into_parquet(source, folder / ROWS, "input", config.limit)
            files += brought.files
            bad += brought.left_out
        except InputError as error:
            bad += error.problems
        except OSError as error:
            raise OutputError(f"`output` must be writable, but {folder} gives: {first_line(error)}") from error
    return describe_inputs(
        FoundFiles(files=tuple(files), passed_over=found.passed_over),
        config.columns(questions),
        _known_inputs(config, folder),
        skip_bad=config.skip_bad_files,
        bad=bad,
    )


def _known_inputs(config: AnnotateConfig, folder: Place) -> Inputs | None:
    """The input files as an earlier run into the folder found them, to spare reading their footers again."""
    try:
        plan = read_plan(folder)
    except (OutputError, StorageError):  # said already, of the output as a whole
        return None
    now = deciding_settings(config)
    if (
        plan is None
        or bool(plan.questions) != (config.questions is not None)
        or any(plan.settings.get(name) != now[name] for name in ("question_column", "context_column", "keep"))
    ):
        return None
    return Inputs(files=plan.input, schema=schema_from_text(plan.input_schema))


def plan_of(config: AnnotateConfig, named: Named, replicas: int = 1) -> Plan:
    """What the settings ask for, but for what is left to the machines to settle; automatic units suit ``replicas``."""
    inputs, model = named.inputs, named.model
    asked = max(1, len(named.questions))
    row_groups = [replace(group, text_bytes=asked * group.text_bytes) for group in named.chosen]
    text_bytes = sum(group.text_bytes for group in row_groups)
    unit_rows = config.unit_rows
    if unit_rows == "auto":
        unit_rows = auto_unit_rows(named.rows, text_bytes, replicas)
    return Plan(
        algorithm=ALGORITHM,
        settings=deciding_settings(config)
        | {"unit_rows": unit_rows, "calibration": calibration_digest(named.apart)}
        | as_settings(decision_by(named.calibration, config.null_threshold)),
        weights_sha256=model.weights_sha256,
        tokenizer_sha256=model.tokenizer_sha256,
        input=inputs.files,
        input_schema=schema_as_text(inputs.schema),
        units=tuple(plan_units(row_groups, max(1, unit_rows // asked))),
        questions=named.questions,
    )
