"""Knocking at a cluster: whether one answers and lets us in; Ray would try in silence for long, or fail at work."""

from __future__ import annotations

from typing import Any

import grpc
from ray._private import gcs_utils, ray_constants, services
from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
from ray._private.authentication.authentication_utils import is_token_auth_enabled
from ray.core.generated.gcs_service_pb2 import GetClusterIdRequest  # type: ignore[attr-defined]  # generated
from ray.core.generated.gcs_service_pb2_grpc import NodeInfoGcsServiceStub
from ray.exceptions import AuthenticationError

from ray_qa.errors import ClusterError, first_line

SECONDS = 8.0
"""Time for a cluster to answer."""


def knock(address: str) -> None:
    """Ask the cluster at ``HOST:PORT``, or what ``auto`` finds on this machine, for its id.

    Raises:
        ClusterError: if none answers, or if it is at odds with us about authentication.
    """
    if "://" in address:
        raise ClusterError(
            f"`ray_address` must be HOST:PORT of a cluster's head, but is {address}, and Ray Data does not run through "
            "Ray's client; give the head's own port (6379 unless it was started with another)"
        )
    if address == "auto":
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)  # as Ray will
    try:
        target = services.canonicalize_bootstrap_address(address) or address
        _ask_for_id(gcs_utils.create_gcs_channel(target))
    except AuthenticationError:
        raise ClusterError(_shut("RAY_AUTH_MODE is token and no token is found")) from None
    except grpc.RpcError as error:
        raise _turned_away(address, error) from error
    except (ValueError, ConnectionError) as error:
        raise _unreachable(address, first_line(error)) from error
    if is_token_auth_enabled() and _lets_anyone_in(target):
        # It would take our work, but its workers could not talk to us.
        raise ClusterError(
            f"`ray_address` must be a Ray cluster that asks for a token where RAY_AUTH_MODE is token, but {address} "
            "does not; set RAY_AUTH_MODE=disabled, which leaves RAY_AUTH_TOKEN aside"
        )


def _turned_away(address: str, error: Any) -> ClusterError:
    if error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        ours = "refuses ours" if is_token_auth_enabled() else "asks for a token, and RAY_AUTH_MODE is not token"
        return ClusterError(_shut(f"{address} {ours}"))
    return _unreachable(address, error.details())


def _unreachable(address: str, reason: str) -> ClusterError:
    return ClusterError(f"`ray_address` must be a Ray cluster that can be reached, but {address} gives: {reason}")


def _shut(found: str) -> str:
    return (
        f"`ray_address` must be a Ray cluster that our token opens, but {found}; set RAY_AUTH_MODE=token and "
        "RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH, or the file ~/.ray/auth_token) as on the cluster's head"
    )


def _lets_anyone_in(target: str) -> bool:
    """Whether a cluster answers without a token; what goes wrong otherwise says nothing."""
    try:
        _ask_for_id(grpc.insecure_channel(target, options=ray_constants.GLOBAL_GRPC_OPTIONS))
    except grpc.RpcError:
        return False
    return True


def _ask_for_id(channel: Any) -> None:
    with channel:
        stub: Any = NodeInfoGcsServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        stub.GetClusterId(GetClusterIdRequest(), timeout=SECONDS)
