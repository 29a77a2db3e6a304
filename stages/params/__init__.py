"""The params of all stages: of each knob the name, the type, the range, the unit and the description, stated once.

A section of params.yaml is one frozen dataclass in a file of this package. The values are in params.yaml and recipes/,
and no field has a default. This package imports nothing heavy, because every stage checks all sections before it runs.
"""

from stages.params.adapt import AdaptParams
from stages.params.convert import ConvertParams
from stages.params.detect import DetectParams
from stages.params.download import DownloadParams
from stages.params.embed import EmbedParams
from stages.params.evaluate_reid import EvaluateReidParams
from stages.params.evaluate_tracking import EvaluateTrackingParams
from stages.params.export import ExportParams
from stages.params.generate import GenerateParams
from stages.params.register import RegisterParams
from stages.params.repeat_seeds import RepeatSeedsParams
from stages.params.tracklets import TrackletsParams
from stages.params.train import TrainParams
from stages.params.tune import TuneParams
from stages.params.validate import ValidateParams

# The sections of params.yaml, in the order of the stages in dvc.yaml.
SECTIONS: dict[str, type] = {
    "download": DownloadParams,
    "convert": ConvertParams,
    "validate": ValidateParams,
    "generate": GenerateParams,
    "train": TrainParams,
    "detect": DetectParams,
    "tracklets": TrackletsParams,
    "adapt": AdaptParams,
    "export": ExportParams,
    "embed": EmbedParams,
    "evaluate_reid": EvaluateReidParams,
    "tune": TuneParams,
    "evaluate_tracking": EvaluateTrackingParams,
    "repeat_seeds": RepeatSeedsParams,
    "register": RegisterParams,
}
