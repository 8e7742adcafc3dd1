"""The numbered rules of the generated text. No rule states a cause, a judgment or a number that was not measured."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from scalestudy.analysis import rules_beyond, rules_costs, rules_machine, rules_record, rules_time
from scalestudy.analysis.evidence import Evidence, Statement
from scalestudy.analysis.language import Language
from scalestudy.records.report import Place, Rule, Sentence


@dataclass(frozen=True)
class SentenceRule:
    """One rule: what it states, when, and what writes it where."""

    id: str
    states: str
    condition: str
    write: Mapping[Place, Callable[[Evidence], Iterator[Statement]]]
    """What yields its sentences, for each section that has any."""


RULES = (
    SentenceRule(
        "R1",
        "planned, completed, failed, missing, resumed, loaded, excluded and flawed runs, and how those that were "
        "resumed are treated",
        "always",
        {"abstract": rules_record.outcomes},
    ),
    SentenceRule(
        "R2",
        "fastest parallel configuration: times, speedup with interval, efficiency, and from which others (three are "
        "named) the data do not separate it",
        "a parallel cell has a speedup; not separated from one device when the interval holds 1, nor from another "
        "configuration when that of the ratio of their epoch times does",
        {"abstract": rules_time.fastest, "performance": rules_time.fastest_of_all},
    ),
    SentenceRule(
        "R3",
        "ratio of the epoch times of two strategies on equal devices, with interval",
        "two strategies share a number of devices; not separated when the interval holds 1",
        {"performance": rules_time.strategies_compared},
    ),
    SentenceRule(
        "R4",
        "slower than, or not distinguishable from, one device",
        "interval of the speedup below 1, or holding 1",
        {"performance": rules_time.not_faster},
    ),
    SentenceRule(
        "R5",
        "largest configuration with an efficiency above 80%",
        "a parallel cell has a speedup; above 80% with the lower end of its interval, or said that none is or can be",
        {"performance": rules_time.efficient},
    ),
    SentenceRule(
        "R6",
        "largest share of the step time that is not computation, per strategy at its largest size",
        "a phase was measured; says where computation and communication were not told apart",
        {"challenges": rules_costs.losses},
    ),
    SentenceRule(
        "R7",
        "equivalence of accuracies within the margin",
        "two one-sided tests at 5%",
        {"abstract": rules_record.accuracy_in_short, "accuracy": rules_record.accuracy},
    ),
    SentenceRule(
        "R8", "outcome of the parity checks and their largest error", "always", {"parity": rules_record.parity}
    ),
    SentenceRule(
        "R9",
        "weak-scaling efficiency with interval",
        "a weak-scaling cell has a speedup",
        {"performance": rules_time.weak_efficiency},
    ),
    SentenceRule(
        "R10",
        "shortest epoch and least device time",
        "strong and epoch scaling; a choice among measured cells, not a prediction",
        {"discussion": rules_time.shortest_and_thriftiest},
    ),
    SentenceRule(
        "R11",
        "widest relative interval of a speedup",
        "a speedup has an interval",
        {"discussion": rules_time.widest_interval},
    ),
    SentenceRule(
        "R12",
        "runs during which other programs took more than 5% of the machine",
        "a run completed",
        {"setup": rules_record.load},
    ),
    SentenceRule(
        "R13",
        "which data is synthetic",
        "a workload has generated images",
        {"abstract": rules_record.synthetic, "setup": rules_record.synthetic},
    ),
    SentenceRule(
        "R14",
        "speedup of the whole run, start-up included, beside that of training",
        "strong and epoch scaling; the fastest cell and its base have runs that were not resumed",
        {"performance": rules_time.end_to_end},
    ),
    SentenceRule(
        "R15",
        "what the records disagree on among processor, versions, commit and data",
        "two runs, or a run and the parity check or a probe, recorded different values",
        {"setup": rules_record.disagreements, "performance": rules_record.several_images},
    ),
    SentenceRule(
        "R16",
        "workloads, strategies, scalings, seeds and devices of the study",
        "a run was planned",
        {"overview": rules_record.size},
    ),
    SentenceRule(
        "R17",
        "how many of the twelve rules for scientific benchmarking are satisfied",
        "a rule applies to the study",
        {"setup": rules_record.compliance},
    ),
    SentenceRule(
        "R18",
        "cost of communication per step with interval, per strategy at its largest size",
        "steps with and without communication were measured in turn",
        {"communication": rules_costs.communication_cost},
    ),
    SentenceRule(
        "R19",
        "speedup over that of independent serial trainings at once",
        "the layout was probed",
        {"performance": rules_costs.ceiling},
    ),
    SentenceRule(
        "R20",
        "lowest factor of the global efficiency, per strategy at its largest size",
        "all its factors were measured",
        {"factors": rules_costs.lowest_factor},
    ),
    SentenceRule(
        "R21",
        "shortest median time to the accuracy target of a parallel configuration, and that of the serial base",
        "more than half of the runs of a parallel cell reached the target",
        {"target": rules_beyond.time_to_accuracy},
    ),
    SentenceRule(
        "R22",
        "predicted efficiency on the most devices with the range of simulated studies",
        "the model predicted larger cells that it had not seen",
        {"prediction": rules_beyond.predicted},
    ),
    SentenceRule(
        "R23",
        "largest error of each model on cells that it had not seen",
        "a cell was predicted from smaller ones",
        {"prediction": rules_beyond.validated},
    ),
    SentenceRule(
        "R24",
        "for what there is no prediction, and why",
        "a strategy lacks the data for one",
        {"prediction": rules_beyond.refused},
    ),
    SentenceRule(
        "R25",
        "when a cell got no more runs, and how many cells got the most without reaching the wanted interval",
        "the study repeats its cells until their intervals are narrow enough",
        {"setup": rules_record.stopping},
    ),
    SentenceRule(
        "R26",
        "ratio of the epoch times of a strategy with other options and of the same one, with interval and what "
        "differs, per entry at its largest size",
        "a strategy stands in the study with other options and both have runs on one layout; not separated when the "
        "interval holds 1",
        {"mitigation": rules_costs.mitigations},
    ),
    SentenceRule(
        "R27",
        "largest error of each fit of the all-reduce that is far from the times that it was fitted to",
        "the error is above 25%",
        {"architecture": rules_machine.loose_links},
    ),
    SentenceRule(
        "R28",
        "parallel configurations that train more images per second and device than the base, with their efficiency",
        "efficiency above 100%; not separated from 100% when its interval holds that",
        {"performance": rules_time.above_ideal},
    ),
)


def sentences(evidence: Evidence) -> list[Sentence]:
    """All sentences, in the order of the rules; R1 comes last, so that the abstract opens with a finding."""
    found = [
        Sentence(rule=rule.id, section=section, text=statement.text, scaling=statement.scaling)
        for rule in RULES
        for section, write in rule.write.items()
        for statement in write(evidence)
    ]
    return sorted(found, key=lambda sentence: sentence.rule == "R1")


def rule_table(language: Language) -> list[Rule]:
    """The rules as the appendix prints them."""
    return [
        Rule(rule=rule.id, states=language.say(rule.states), condition=language.say(rule.condition)) for rule in RULES
    ]
