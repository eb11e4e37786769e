"""Several processes that train one model: who they are, how they meet and how they part."""

from cyclegan_keras.cluster.description import Cluster, of_environment
from cyclegan_keras.cluster.meeting import meet
from cyclegan_keras.cluster.team import ALONE, Alone, Team, WorkerLost

__all__ = ["ALONE", "Alone", "Cluster", "Team", "WorkerLost", "meet", "of_environment"]
