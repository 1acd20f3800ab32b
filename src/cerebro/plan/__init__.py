"""What the workflow asks of each step: paths, groups, parents, and the settings that the step reads.

Rule files hold no logic; they name a method of :class:`Plan`. Settings are JSON text, so that Snakemake can
compare them with those of the last run and a person can paste them into a command line. Each file here is
about one part of the flow, as rule files are; all of them build on the graph of the study.
"""

from cerebro.config import Config, trainings
from cerebro.plan.answers import AnswerPlan
from cerebro.plan.data import DataPlan
from cerebro.plan.encoders import EncoderPlan
from cerebro.plan.networks import check_networks
from cerebro.plan.phases import PhasePlan


class Plan(DataPlan, PhasePlan, EncoderPlan, AnswerPlan):
    """The steps of one study.

    Parameters
    ----------
    config
        The validated configuration.

    Raises
    ------
    UserError
        A folder, list or reader that ``datasets`` names does not exist, or a network of braindecode or its
        weights, or it does not fit windows and layout.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        # Those of variants when they are asked for: building a network takes seconds.
        check_networks(config, trainings(config.phases))
