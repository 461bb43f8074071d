"""Hyperband: many short trials, the better ones go on."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from pydantic import Field

from automl.errors import SearchError
from automl.oracles import Algorithm, Brief
from automl.oracles._seeded import Seeded, proposal


class Hyperband(Algorithm):
    """Starts many trials on few epochs and lets the best part of each rung go on with `factor` times as many.

    Brackets with different first budgets follow each other and begin anew until the search's own budget is spent.

    Source: https://jmlr.org/papers/v18/16-558.html, algorithm 1
    """

    continues_trials: ClassVar[bool] = True
    # Rungs wait for all their trials, so more workers would mostly idle.
    max_workers: ClassVar[int | None] = 1

    factor: int = Field(3, ge=2, description="One in how many goes on, and with how many times the epochs.")

    def oracle(self, brief: Brief) -> Any:
        """Builds the oracle."""
        from keras_tuner.oracles import HyperbandOracle

        class RungsOracle(_Rungs, HyperbandOracle):
            """Keras Tuner's sizes and epochs of rungs; who goes on is ours."""

        if brief.epochs is None or brief.epochs < 1:
            raise SearchError(
                "search.algorithm: hyperband shares out training.epochs. "
                f"Expected a whole number from 1 on; received {brief.epochs}."
            )
        # 0 iterations are endless ones in Keras Tuner: the loop's budget ends the search.
        return RungsOracle(brief, max_epochs=brief.epochs, factor=self.factor, hyperband_iterations=0)


class _Rungs(Seeded):
    """Fills and promotes rungs such that a failed trial never blocks one.

    In Keras Tuner a failed trial keeps its place and is no candidate, so its bracket never ends. Here it loses its
    place: on the first rung a new random trial takes it, further up the next best of the rung below.
    """

    _brackets: list[dict[str, Any]]

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        self._brackets = [bracket for bracket in self._brackets if not self.is_over(bracket)]
        for bracket in self._brackets:
            if self.has_room(bracket, 0):
                coded = self.draw(self.generator())
                if coded is not None:
                    return self.enter(bracket, 0, trial_id, coded, None)
                # No new point is left: the rung stays as short as it is.
                bracket["exhausted"] = True
            for number in range(1, len(bracket["rounds"])):
                parent = self.promoted(bracket, number)
                if parent is not None:
                    coded = self.plain(parent.hyperparameters.values)
                    return self.enter(bracket, number, trial_id, coded, parent.trial_id)
        coded = self.draw(self.generator())
        if coded is None:
            return {"status": "IDLE"} if self.ongoing_trials else proposal(None)
        self._increment_bracket_num()
        self._start_new_bracket()
        return self.enter(self._brackets[-1], 0, trial_id, coded, None)

    def enter(
        self, bracket: dict[str, Any], rung: int, trial_id: str, coded: dict[str, Any], past_id: str | None
    ) -> dict[str, Any]:
        """Notes a trial on a rung and gives it the rung's budget."""
        bracket["rounds"][rung].append({"past_id": past_id, "id": trial_id})
        budget = {
            "tuner/epochs": self._get_epochs(bracket["bracket_num"], rung),
            "tuner/initial_epoch": self._get_epochs(bracket["bracket_num"], rung - 1) if rung else 0,
        }
        if past_id is not None:
            budget["tuner/trial_id"] = past_id
        return proposal({**coded, **budget})

    def promoted(self, bracket: dict[str, Any], rung: int) -> Any | None:
        """Returns the trial of the rung below that may go on now: sure to be among the best of its rung."""
        if not self.has_room(bracket, rung):
            return None
        waiting = self.waiting(bracket, rung - 1)
        # As many as the rung below will hold; fewer once no more can join it.
        below = self.alive(bracket, rung - 1)
        size = len(below) if self.is_full(bracket, rung - 1) else self._get_size(bracket["bracket_num"], rung - 1)
        scored = [trial for trial in waiting if trial.status == "COMPLETED"]
        settled = self.is_full(bracket, rung - 1) and len(scored) == len(waiting)
        if not scored or not (settled or len(scored) > size - self._get_size(bracket["bracket_num"], rung)):
            return None
        sign = -1.0 if self.objective.direction == "max" else 1.0
        return min(scored, key=lambda trial: sign * trial.score)  # the earliest among equals

    def has_room(self, bracket: dict[str, Any], rung: int) -> bool:
        """Tells whether the rung may take another trial."""
        if rung == 0 and bracket.get("exhausted"):
            return False
        return len(self.alive(bracket, rung)) < self._get_size(bracket["bracket_num"], rung)

    def is_full(self, bracket: dict[str, Any], rung: int) -> bool:
        """Tells whether no more trials can join the rung: it holds all it may, or all that the rung below can give."""
        if not self.has_room(bracket, rung):
            return True
        return rung > 0 and self.is_full(bracket, rung - 1) and not self.waiting(bracket, rung - 1)

    def is_over(self, bracket: dict[str, Any]) -> bool:
        """Tells whether the bracket's last rung is full; trials that still run there need nothing more of it."""
        last = len(bracket["rounds"]) - 1
        running = any(trial.status == "RUNNING" for trial in self.alive(bracket, last))
        return self.is_full(bracket, last) and not running

    def alive(self, bracket: dict[str, Any], rung: int) -> list[Any]:
        """Returns the rung's trials that have not failed."""
        trials = [self.trials[entry["id"]] for entry in bracket["rounds"][rung]]
        return [trial for trial in trials if trial.status != "FAILED"]

    def waiting(self, bracket: dict[str, Any], rung: int) -> list[Any]:
        """Returns the rung's trials that have neither failed nor gone on, be it in vain."""
        gone = {entry["past_id"] for entry in bracket["rounds"][rung + 1]}
        return [trial for trial in self.alive(bracket, rung) if trial.trial_id not in gone]

    def plain(self, coded: dict[str, Any]) -> dict[str, Any]:
        """Returns the values without the budget of the trial they come from."""
        return {name: value for name, value in coded.items() if name in self.space.by_name}

    def continuable(self) -> set[str]:
        """Returns the trials that may still be promoted, and those that a running trial goes on from."""
        ids = {trial.hyperparameters.values.get("tuner/trial_id") for trial in self.ongoing_trials.values()} - {None}
        for bracket in self._brackets:
            for rung in range(len(bracket["rounds"]) - 1):
                above = [trial for trial in self.alive(bracket, rung + 1) if trial.status == "COMPLETED"]
                # A trial that still runs above may fail, and another go on in its place.
                if len(above) < self._get_size(bracket["bracket_num"], rung + 1):
                    ids |= {trial.trial_id for trial in self.waiting(bracket, rung)}
        return ids

    def own_state(self) -> dict[str, Any]:
        """Returns the brackets that are not over and which one comes next, as plain JSON."""
        # A copy: the state goes into a record that must not change when the next trial enters a rung.
        return {
            "brackets": copy.deepcopy(self._brackets),
            "bracket": self._current_bracket,
            "iteration": self._current_iteration,
        }

    def set_own_state(self, state: dict[str, Any]) -> None:
        """Takes the brackets back."""
        self._brackets = copy.deepcopy(state["brackets"])
        self._current_bracket = state["bracket"]
        self._current_iteration = state["iteration"]
