"""What MLflow is told of a search: the same of what happens now, and of what a journal says has happened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from automl import oracles, schedulers
from automl.document import yaml_text
from automl.driver import description
from automl.driver.course import RATE
from automl.driver.ranking import Ranking
from automl.experiment.experiment import Experiment
from automl.journal import Asked, Baseline, Finished, Header, Reported
from automl.model import pretrained
from automl.records.data import DataSpec
from automl.records.trials import TrialResult
from automl.results import prediction, trial_names
from automl.space.domains import Range
from automl.tracking import DatasetInput, Tracker, View

SYSTEM = "system/"
"""Before the name of a metric: MLflow shows it on a tab of its own."""
HEALTH = "health/"
"""Before the name of a metric of how a training was: MLflow shows them as a group of their own."""


@dataclass
class Teller:
    """Tells of one search.

    Args:
        tracker: The mirror.
        read: What is searched.
        data: The prepared data.
        header: How the search began.
        ranking: How its trials stand.
        baselines: What is simpler than a network, by name.
    """

    tracker: Tracker
    read: Experiment
    data: DataSpec
    header: Header
    ranking: Ranking
    baselines: dict[str, Baseline] = field(default_factory=dict)

    def begun(self) -> None:
        """Begins the search's run, or goes on with it."""
        read, data, header, settings = self.read, self.data, self.header, self.header.settings
        commit, cluster = settings.get("commit"), settings.get("cluster")
        origins = "\n".join(map(pretrained.told, settings.get("pretrained") or ()))
        self.tracker.start(
            name=settings["name"],
            params=self._params(),
            tags={
                **{f"automl.version.{name}": version for name, version in header.versions.items()},
                # The parameter keeps its first value in MLflow; a resume may give another total.
                "automl.trials": read.search.most_trials,
                **({"mlflow.source.git.commit": commit} if commit else {}),
                **({"automl.pretrained": origins} if origins else {}),
                **({"automl.cluster": cluster["address"]} if cluster else {}),
            },
            experiment_yaml=yaml_text.dump(read.document.data),
            dataset=DatasetInput(
                name=data.name,
                digest=data.digest,
                source=yaml_text.dump(read.document.data["data"]["source"]).strip(),
                profile=data.profile,
            ),
            time_ms=header.created,
            note=self._note(),
            view=self._view(),
        )

    def baseline(self, event: Baseline) -> None:
        """Tells of a baseline."""
        self.baselines[event.name] = event
        metric = self.read.goals.primary.metric
        facts = {**event.metrics, **{f"best/{key}": value for key, value in event.metrics.items()}}
        # The objective, as that of a trial is called, so that both stand in one column.
        score = {"score": event.metrics[metric]} if metric in event.metrics else {}
        began = event.time - int(1000 * event.seconds)
        self.tracker.baseline(event.name, {**facts, **score, "seconds": event.seconds}, event.time, began)

    def started(self, asked: Asked, document: Mapping[str, Any], attempt: int, *, anew: bool = False) -> None:
        """Tells that a trial runs.

        Args:
            asked: Its proposal.
            document: Its resolved document.
            attempt: Which attempt this is.
            anew: Its epochs so far no longer count.
        """
        text, name = yaml_text.dump(document), trial_names.name(asked.number, asked.values, self._varied)
        known = {key: asked.values[key] for key in self._logs if key in asked.values}
        if self._rates and (rate := next((known[key] for key in self._rates if key in known), None)):
            known[RATE] = rate
        logs = {key: math.log10(value) for key, value in known.items()}
        given = asked.number, asked.values, text, asked.time, attempt, anew
        self.tracker.trial_started(*given, name=name, logs=logs)

    def epoch(self, event: Reported) -> None:
        """Tells of an epoch, of what its worker took of its machine, and of how the training was."""
        unsaid = {key: float(text) for key, text in event.nonfinite.items()}
        usage = {f"{SYSTEM}{key}": value for key, value in event.usage.items()}
        health = {f"{HEALTH}{key}": value for key, value in event.health.items()}
        self.tracker.epoch(event.number, event.epoch, {**event.metrics, **unsaid, **usage, **health}, event.time)

    def ended(self, result: TrialResult, time_ms: int) -> None:
        """Tells of a trial's end, and of how the search stands then."""
        self.tracker.trial_ended(result, time_ms)
        best, done = self.ranking.best, len(self.ranking.results)
        self.tracker.progress(best.score if best else None, done, time_ms, self._note())

    def finished(self, event: Finished, report: str | None = None) -> None:
        """Tells of the search's end.

        Args:
            event: What the journal says of it.
            report: An HTML page; None where none was made.
        """
        tracker, told = self.tracker, event.result
        test = {name.removeprefix("test_"): value for name, value in event.test.items()}
        planned = None
        if predicted := told.get("predicted_s"):
            within = {"search_planned_low_s": predicted[0], "search_planned_high_s": predicted[1]}
            planned = {"search_s": prediction.took(told), **within}
        for name, metrics in (told.get("baselines") or {}).items():
            tested = {key: value for key, value in metrics.items() if key.startswith("test_")}
            tracker.baseline(name, tested, event.time)
        tracker.finish(
            self.ranking.ranks(),
            "FAILED" if event.best is None else "FINISHED",
            test,
            len(self.ranking.results),
            event.time,
            planned,
            told.get("beaten_by"),
            self._note(event),
            report,
        )

    @cached_property
    def _varied(self) -> list[str]:
        """The parameters that may differ between trials."""
        return [param.name for param in self.read.space.params if param.domain.size != 1]

    @cached_property
    def _logs(self) -> list[str]:
        """Those of them that are drawn on a logarithmic scale."""
        known = self.read.space.by_name
        domains = {name: known[name].domain for name in self._varied}
        return [name for name, domain in domains.items() if isinstance(domain, Range) and domain.log]

    @cached_property
    def _rates(self) -> list[str]:
        """The learning rates where each optimizer has its own: a trial has one of them, and no axis would hold all."""
        found = [name for name in self._logs if name.endswith(f".{RATE}")]
        return found if len(found) > 1 else []

    def _view(self) -> View:
        known, goal = self.read.space.by_name, self.read.goals.primary
        # Those that every trial has first: an axis that some trials lack leaves them out.
        params = sorted(self._varied, key=lambda name: bool(known[name].conditions))
        everywhere = [*([RATE] if self._rates else []), *(name for name in params if not known[name].conditions)]
        return View(
            name=f"{self.header.settings['name']} {self.header.search}",
            objective=goal.metric,
            lower_is_better=goal.lower_is_better,
            columns=params,
            axes=everywhere,
            logs=[*self._logs, *([RATE] if self._rates else [])],
        )

    def _note(self, finished: Finished | None = None) -> str:
        given = self.read, self.data, self.header, self.ranking, self.baselines, self._varied
        return description.written(*given, finished)

    def _params(self) -> dict[str, Any]:
        search, objective, header = self.read.search, self.read.goals.primary, self.header
        return {
            "space": self.read.name,
            "data": self.data.name,
            "algorithm": oracles.registry.name_of(search.algorithm),
            "scheduler": schedulers.registry.name_of(search.judge),
            "objective": objective.metric,
            "direction": objective.direction,
            "trials": search.most_trials,
            "time": search.time,
            "seed": search.seed,
            "workers": header.settings["workers"],
            "gpus": ",".join(header.settings.get("gpus") or ()) or None,
            "threads": header.threads,
            "backend": header.backend,
        }
