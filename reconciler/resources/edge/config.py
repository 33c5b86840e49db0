"""Envoy's documents for this node, as JSON. Pure: equal wishes, equal bytes.

`bootstrap` is read once by a process; listener, cluster and limits are files that Envoy watches, so changing
them interrupts nothing. Every setting that differs from Envoy's own default says why. What Envoy does with
gRPC: see `filters.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reconciler.core.values import Json, canonical, digest
from reconciler.resources.edge.filters import http_filters, routes
from reconciler.resources.edge.state import EdgeDesired, join_address
from reconciler.routes import CERTIFICATE_SECRET, RUNTIME_CLUSTER, UPSTREAM_IDLE_S, discovery_response

LISTENER: Final = "listener.json"
CLUSTER: Final = "cluster.json"
LIMITS: Final = "limits.json"
ENDPOINTS: Final = "endpoints.json"
CERTIFICATE: Final = "certificate.json"

DOCUMENTS: Final = (LISTENER, CLUSTER, LIMITS)
"""The files that this kind writes. Endpoints and certificate belong to others."""

_WINDOW_BYTES: Final = 1024 * 1024  # below it uploads over distance are too slow for gateways' limits
_HEADER_KIB: Final = 1024
_CONNECTION_LIMIT: Final = "envoy.resource_limits.listener.public.connection_limit"
_FLUSH_S: Final = 30.0
_HANGING: Final = {"kill_timeout": "60s"}
_MOST: Final = 1_000_000
_MOST_UPSTREAM: Final = 32_768  # half of a child's descriptors: requests beyond wait, accepting never stops
_TYPE: Final = "type.googleapis.com/"


def documents(desired: EdgeDesired) -> Mapping[str, Mapping[str, Json]]:
    return {
        LISTENER: discovery_response([listener(desired)]),
        CLUSTER: discovery_response([cluster(desired)]),
        LIMITS: discovery_response([limits(desired)]),
    }


def version_of(document: Mapping[str, Json]) -> str:
    return str(document["version_info"])


def facts_of(name: str, document: Mapping[str, Any]) -> Json:
    """What a reader of a plan cares about in a document. Raises where it is none of ours."""
    (resource,) = document["resources"]
    if name == LISTENER:
        (chain,) = resource["filter_chains"]
        at = resource["address"]["socket_address"]
        manager = chain["filters"][0]["typed_config"]
        return {
            "listen": join_address(at["address"], at["port_value"]),
            "tls": "transport_socket" in chain,
            "headers within": manager["request_headers_timeout"],
        }
    if name == LIMITS:
        return {"connections": resource["layer"][_CONNECTION_LIMIT]}
    return {}


def program_digest(desired: EdgeDesired, token: str) -> str:
    """Tells one Envoy process from another. `token` is the newest wish to restart it, or empty."""
    started_with = [desired.program.version, desired.program.workers, desired.drain_s]
    return digest([*started_with, canonical(bootstrap(desired, 0)), token])


def arguments(desired: EdgeDesired, *, generation: int, base_id: int, epoch: int) -> tuple[str, ...]:
    return (
        str(desired.program.path),
        "--config-path",
        str(desired.bootstrap_file(generation)),
        "--base-id",
        str(base_id),
        "--restart-epoch",
        str(epoch),
        "--concurrency",
        str(desired.program.workers),
        "--drain-time-s",
        str(desired.drain_s),
        "--parent-shutdown-time-s",
        str(desired.drain_s + 5),
        "--log-level",
        "warning",
    )


def bootstrap(desired: EdgeDesired, generation: int) -> dict[str, Json]:
    return {
        "node": {"id": desired.node, "cluster": "edge"},
        "admin": {"address": {"pipe": {"path": str(desired.admin_socket(generation)), "mode": 0o600}}},
        "dynamic_resources": {"lds_config": _file(desired, LISTENER), "cds_config": _file(desired, CLUSTER)},
        "layered_runtime": {
            "layers": [
                {"name": "limits", "rtds_layer": {"name": "limits", "rtds_config": _file(desired, LIMITS)}},
            ]
        },
        "overload_manager": _overload(desired),
        # one that hangs ends itself; then it is started again like one that crashed
        "watchdogs": {"main_thread_watchdog": _HANGING, "worker_watchdog": _HANGING},
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": _kept_statistics()}}},
    }


def limits(desired: EdgeDesired) -> dict[str, Json]:
    return {
        "@type": _TYPE + "envoy.service.runtime.v3.Runtime",
        "name": "limits",
        "layer": {_CONNECTION_LIMIT: desired.limits.connections},
    }


def cluster(desired: EdgeDesired) -> dict[str, Json]:
    http: dict[str, Json] = {
        "@type": _TYPE + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": {"idle_timeout": f"{UPSTREAM_IDLE_S}s", "max_headers_count": 1000},
    }
    return {
        "@type": _TYPE + "envoy.config.cluster.v3.Cluster",
        "name": RUNTIME_CLUSTER,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": _file(desired, ENDPOINTS)},
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        # a runtime that leaves the endpoints file gets nothing new at once, whatever its health was
        "ignore_health_on_host_removal": True,
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        # admission is the runtime's decision; the defaults (1,024) would refuse before it can say why
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": _MOST_UPSTREAM,
                    "max_pending_requests": _MOST,
                    "max_requests": _MOST,
                    "max_retries": _MOST,
                }
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http,
        },
    }


def listener(desired: EdgeDesired) -> dict[str, Json]:
    chain: dict[str, Json] = {
        "name": "public",
        "filters": [
            {
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": connection_manager(desired),
            }
        ],
        # a peer that opens a connection and then says nothing
        "transport_socket_connect_timeout": _seconds(desired.limits.handshake_s),
    }
    if desired.tls:
        chain["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": _tls(desired)}
    return {
        "@type": _TYPE + "envoy.config.listener.v3.Listener",
        "name": "public",
        "address": {
            "socket_address": {
                "address": desired.host,
                "port_value": desired.port,
                "ipv4_compat": desired.host == "::",  # every address means IPv4, too
            }
        },
        "filter_chains": [chain],
        "per_connection_buffer_limit_bytes": _WINDOW_BYTES,
        "tcp_backlog_size": 4096,
    }


def connection_manager(desired: EdgeDesired) -> dict[str, Json]:
    allowed = desired.limits
    return {
        "@type": _TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "public",
        "codec_type": "AUTO",  # without ALPN it is HTTP/1.1; the gateways' download clients offer none
        "max_request_headers_kb": _HEADER_KIB,  # payments of hundreds of tickets travel in one header
        "common_http_protocol_options": {
            "max_headers_count": 1000,
            "idle_timeout": _seconds(allowed.idle_connection_s),
            "headers_with_underscores_action": "ALLOW",
        },
        "http2_protocol_options": {
            "initial_stream_window_size": _WINDOW_BYTES,
            "initial_connection_window_size": _WINDOW_BYTES,
            "max_concurrent_streams": 250,
        },
        "http_protocol_options": {"accept_http_10": True},
        "request_headers_timeout": _seconds(allowed.headers_s),
        "request_timeout": "0s",  # uploads may be long; the runtime bounds the wait for each part
        "stream_idle_timeout": "0s",  # registered workers are silent for hours; routes set their own
        # until a whole answer is taken, all that its request took is held
        "stream_flush_timeout": _seconds(min(_FLUSH_S, allowed.idle_stream_s)),
        "use_remote_address": True,
        "skip_xff_append": False,
        "generate_request_id": False,
        "server_header_transformation": "PASS_THROUGH",
        "route_config": {
            "name": "public",
            "virtual_hosts": [
                {
                    "name": "node",
                    "domains": ["*"],
                    "routes": routes(allowed.idle_stream_s),
                    # uploads are passed on, not collected for a retry
                    "request_body_buffer_limit": 65_536,
                }
            ],
            "validate_clusters": False,
        },
        "http_filters": http_filters(),
    }


def _tls(desired: EdgeDesired) -> dict[str, Json]:
    return {
        "@type": _TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        # gateways keep no sessions: a ticket is 8 % of a handshake's cost for nothing
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {
                "tls_minimum_protocol_version": "TLSv1_2",
                "tls_maximum_protocol_version": "TLSv1_3",
            },
            "tls_certificate_sds_secret_configs": [
                {"name": CERTIFICATE_SECRET, "sds_config": _file(desired, CERTIFICATE)}
            ],
        },
    }


def _overload(desired: EdgeDesired) -> dict[str, Json]:
    """Memory is bounded in steps. Few connections fill it: 250 streams each, 1 MiB of headers each."""
    heap = "envoy.resource_monitors.fixed_heap"
    connections = "envoy.resource_monitors.global_downstream_max_connections"

    def above(action: str, share: float) -> dict[str, Json]:
        return {
            "name": f"envoy.overload_actions.{action}",
            "triggers": [{"name": heap, "threshold": {"value": share}}],
        }

    scaled: Json = {"scaling_threshold": 0.8, "saturation_threshold": 0.95}
    largest_streams = above("reset_high_memory_stream", 0) | {"triggers": [{"name": heap, "scaled": scaled}]}
    return {
        "refresh_interval": "0.25s",
        "buffer_factory_config": {"minimum_account_to_track_power_of_two": 18},
        "resource_monitors": [
            {
                "name": heap,
                "typed_config": {
                    "@type": _TYPE + "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                    "max_heap_size_bytes": desired.limits.heap_bytes,
                },
            },
            {
                "name": connections,
                "typed_config": {
                    "@type": _TYPE + "envoy.extensions.resource_monitors.downstream_connections.v3"
                    ".DownstreamConnectionsConfig",
                    "max_active_downstream_connections": _MOST,  # the limit in force is the listener's, hot
                },
            },
        ],
        "actions": [
            above("shrink_heap", 0.8),
            largest_streams,
            above("disable_http_keepalive", 0.85),
            above("stop_accepting_requests", 0.9),
            above("stop_accepting_connections", 0.95),
        ],
    }


def _kept_statistics() -> list[Json]:
    prefixes = ("listener.", "listener_manager.", "cluster.runtime.", "cluster_manager.", "http.public.")
    more = ("runtime.", "server.", "sds.", "overload.")
    return [{"prefix": prefix} for prefix in prefixes + more]


def _file(desired: EdgeDesired, name: str) -> dict[str, Json]:
    return {
        "path_config_source": {"path": str(desired.directory / name)},
        "resource_api_version": "V3",
    }


def _seconds(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") + "s"
