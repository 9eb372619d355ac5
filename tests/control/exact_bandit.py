"""Bandits of two arms whose trajectories can all be written down."""

import itertools

import numpy as np
import tensorflow as tf

from tfmeta.control.action_space import ActionSpace
from tfmeta.control.adaptation import Judgement
from tfmeta.control.meta_objective import Experience, MetaObjective
from tfmeta.control.policies import Policy
from tfmeta.control.trajectories import Trajectories
from tfmeta.learners.inner_rules import Scale

# What an agent sees at each step: a policy may do something else at each.
SEEN = np.array([[1.0, -0.5], [0.4, 0.9]])
RATE = 0.7


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def linear_policy(steps=2):
    """A policy without hidden layers, and weights of it in float64."""
    policy = Policy(2, ActionSpace("discrete", 2), ())
    rng = np.random.default_rng(4)
    return policy, [rng.normal(size=shape) for shape in policy.shapes.values()]


def outcomes(steps):
    """All that may happen in one trajectory: arms and rewards, each `(steps,)`."""
    each = list(itertools.product((0, 1), repeat=steps))
    return [(np.array(a), np.array(r, float)) for a in each for r in each]


def log_policy(weights, step):
    """Log probabilities of the arms at a step, by NumPy."""
    kernel, bias = weights
    return np.log(softmax(SEEN[step] @ kernel + bias))


def probability(weights, outcome, successes):
    """Of a trajectory, by a policy of these weights in a bandit."""
    total = 1.0
    for step, (arm, reward) in enumerate(zip(*outcome, strict=True)):
        p = successes[arm]
        total *= np.exp(log_policy(weights, step)[arm]) * (p if reward else 1 - p)
    return total


def update_by_hand(weights, outcome):
    """REINFORCE with rewards to go, its gradient by the formula of a softmax."""
    kernel, bias = (part.copy() for part in weights)
    arms, rewards = outcome
    steps = len(arms)
    for step in range(steps):
        score = np.eye(2)[arms[step]] - np.exp(log_policy(weights, step))
        to_go = rewards[step:].sum()
        kernel += RATE * to_go / steps * np.outer(SEEN[step], score)
        bias += RATE * to_go / steps * score
    return [kernel, bias]


def expected_return(weights, successes, steps, *, drawn_by=None, updates=1):
    """After so many updates, by a sum over all that may happen.

    `drawn_by` is the start of those who draw the trajectories of the updates, where it
    is held fixed.
    """
    if updates == 0:
        return sum(
            probability(weights, outcome, successes) * outcome[1].sum()
            for outcome in outcomes(steps)
        )
    drawn_by = weights if drawn_by is None else drawn_by
    total = 0.0
    for outcome in outcomes(steps):
        total += probability(drawn_by, outcome, successes) * expected_return(
            update_by_hand(weights, outcome),
            successes,
            steps,
            updates=updates - 1,
            drawn_by=update_by_hand(drawn_by, outcome),
        )
    return total


def central_differences(function, weights, step=1e-5):
    """The gradient of a function of a list of arrays."""
    found = [np.zeros_like(part) for part in weights]
    for number, part in enumerate(weights):
        for place in np.ndindex(part.shape):
            ends = []
            for sign in (1, -1):
                moved = [w.copy() for w in weights]
                moved[number][place] += sign * step
                ends.append(function(moved))
            found[number][place] = (ends[0] - ends[1]) / (2 * step)
    return found


def trajectories_of(happened, logs):
    """Each outcome as the one trajectory of a task of its own."""
    count, steps = len(happened), len(happened[0][0])
    arms = np.array([outcome[0] for outcome in happened], np.int32)
    rewards = np.array([outcome[1] for outcome in happened])
    seen = np.broadcast_to(SEEN[:steps], (count, 1, steps, 2))
    return Trajectories(
        tf.constant(seen),
        tf.constant(arms[:, None]),
        tf.constant(rewards[:, None]),
        tf.ones([count, 1, steps], tf.bool),
        tf.constant(logs[:, None]),
        tf.ones([count, 1], tf.bool),
        tf.zeros([count, 1, 2], tf.float64),
    )


def logs_of(weights, outcome):
    """Log probabilities of the arms of an outcome, `(steps,)`."""
    return np.array(
        [log_policy(weights, step)[arm] for step, arm in enumerate(outcome[0])]
    )


def objective(policy, **options):
    """As the learner makes it, of plain rewards to go."""
    judgement = Judgement(gamma=1.0, gae_lambda=1.0, baseline="none", normalize=False)
    return MetaObjective(policy, Scale(-RATE), judgement, **options)


def experience_of(made, weights, chains):
    """What was drawn where each task has one chain of outcomes, the last after all."""
    drawn = []
    current = [weights] * len(chains)
    for number in range(len(chains[0])):
        happened = [chain[number] for chain in chains]
        logs = np.array(
            [logs_of(w, outcome) for w, outcome in zip(current, happened, strict=True)]
        )
        drawn.append(made.judgement(trajectories_of(happened, logs)))
        current = [
            update_by_hand(w, outcome)
            for w, outcome in zip(current, happened, strict=True)
        ]
    *before, after = drawn
    credit = made.judgement.returns_of_tasks(after.trajectories)
    return Experience(before, after, credit, ())
