"""The numbered rules of the generated text. No rule states a cause, a judgment or a number that was not measured."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from scalestudy.analysis import rules_record, rules_time
from scalestudy.analysis.evidence import Evidence
from scalestudy.records.report import Rule, Sentence

Section = Literal["abstract", "setup", "performance", "accuracy", "challenges", "discussion"]


@dataclass(frozen=True)
class SentenceRule:
    """One rule: what it states, when, and what writes it where."""

    id: str
    states: str
    condition: str
    write: Mapping[Section, Callable[[Evidence], Iterator[str]]]
    """What yields its sentences, for each section that has any."""


RULES = (
    SentenceRule(
        "R1",
        "planned, completed, failed, missing and resumed runs, and how those that were resumed are treated",
        "always",
        {"abstract": rules_record.outcomes},
    ),
    SentenceRule(
        "R2",
        "fastest parallel configuration: times, speedup with interval, efficiency",
        "a parallel cell has a speedup",
        {"abstract": rules_time.fastest, "performance": rules_time.fastest_otherwise},
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
        "lower end of the interval above 80%",
        {"performance": rules_time.efficient},
    ),
    SentenceRule(
        "R6",
        "largest share of the step time that is not computation, per strategy at its largest size",
        "a phase was measured; says where computation and communication were not told apart",
        {"challenges": rules_time.losses},
    ),
    SentenceRule(
        "R7",
        "equivalence of accuracies within the margin",
        "two one-sided tests at 5%",
        {"accuracy": rules_record.accuracy},
    ),
    SentenceRule(
        "R8", "outcome of the parity checks and their largest error", "always", {"accuracy": rules_record.parity}
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
        "what the runs disagree on among processor, versions, commit and data",
        "two runs recorded different values",
        {"setup": rules_record.disagreements},
    ),
)


def sentences(evidence: Evidence) -> list[Sentence]:
    """All sentences, in the order of the rules; R1 comes last, so that the abstract opens with a finding."""
    found = [
        Sentence(rule=rule.id, section=section, text=text)
        for rule in RULES
        for section, write in rule.write.items()
        for text in write(evidence)
    ]
    return sorted(found, key=lambda sentence: sentence.rule == "R1")


def rule_table() -> list[Rule]:
    """The rules as the appendix prints them."""
    return [Rule(rule=rule.id, states=rule.states, condition=rule.condition) for rule in RULES]
