"""The case set of a sweep as an input data set of its parent run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from analysis.formatting import cases_text
from objectives.case import Case

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput


def case_dataset(study: str, cases: Sequence[Case]) -> DatasetInput:
    """Describe the cases as an MLflow data set: names, digests and numbers of items, no texts."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.entities import DatasetInput, InputTag

    frame = pd.DataFrame(
        {
            "name": [case.name for case in cases],
            "log_sha256": [case.log_sha256 for case in cases],
            "rubric_sha256": [case.rubric_sha256 for case in cases],
            "items": [len(case.items) for case in cases],
        }
    )
    with warnings.catch_warnings():  # about whole numbers that could be missing in a model's input; these cannot
        warnings.simplefilter("ignore")
        # the default source would record the path of the running script
        entity = from_pandas(
            frame, source=CodeDatasetSource(tags={"cases": study}), name=f"{study}: {cases_text(len(cases))}"
        )._to_mlflow_entity()
    return DatasetInput(entity, [InputTag("mlflow.data.context", "evaluation")])
