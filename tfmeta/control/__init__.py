"""Tasks that are environments: policies that learn to act from a few trajectories."""

from tfmeta.control.action_space import ActionSpace
from tfmeta.control.bandits import Bandits
from tfmeta.control.baselines import OracleFamily, oracle_policy, pretrained_policy
from tfmeta.control.control_tasks import ControlTasks
from tfmeta.control.evaluation import returns_by_update
from tfmeta.control.gymnasium_family import GymnasiumFamily
from tfmeta.control.minigrid_family import MiniGridFamily
from tfmeta.control.navigation import Navigation
from tfmeta.control.policy_maml import PolicyMAML
from tfmeta.control.rl_squared import RL2
from tfmeta.control.task_family import Step, TaskFamily
from tfmeta.control.trajectories import Trajectories
from tfmeta.submodules import on_demand

__all__ = [
    "ActionSpace",
    "Bandits",
    "ControlTasks",
    "GymnasiumFamily",
    "MiniGridFamily",
    "Navigation",
    "OracleFamily",
    "PolicyMAML",
    "RL2",
    "Step",
    "TaskFamily",
    "Trajectories",
    "oracle_policy",
    "pretrained_policy",
    "returns_by_update",
]

__getattr__ = on_demand(__name__)
