"""How a request finds its way through Envoy to the runtime, which speaks plain HTTP/1.1. Pure.

A unary gRPC call becomes an ordinary POST of one protobuf message (`grpc_http1_reverse_bridge`); the
program's `x-grpc-status` and `x-grpc-message` come back as the call's trailers by a few lines of Lua,
because peers match on error texts. Calls that stream their answer (`Register…`) pass as they are: the
program frames them itself. Like in the network's own nodes, gRPC is what comes over HTTP/2 with a gRPC
content type, by request, not by connection; the same paths with anything else are not found.
"""

from __future__ import annotations

from typing import Final

from reconciler.core.values import Json
from reconciler.routes import RUNTIME_CLUSTER

_TYPE: Final = "type.googleapis.com/"
_BRIDGE: Final = "envoy.filters.http.grpc_http1_reverse_bridge"
_LUA: Final = "envoy.filters.http.lua"
_PREVIOUS_HOSTS: Final = _TYPE + "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
_STREAMING: Final = ("/net.Transcoder/Register", "/net.AIWorker/Register")
_MESSAGE: Final = "application/x-protobuf"
_DOWNLOAD_IDLE: Final = "30s"
"""A reader that takes nothing for so long holds a connection of the runtime's that others need."""
_NOT_FOUND: Final = "404 page not found\n"

_SCRIPT: Final = """
function envoy_on_request(handle)
  local headers = handle:headers()
  local is_grpc = string.find(headers:get("content-type") or "", "^application/grpc")
  if is_grpc and handle:streamInfo():protocol() == "HTTP/2" then return end
  if is_grpc or string.find(headers:get(":path") or "", "^/net%.") then
    headers:replace(":path", "/not-found")
    headers:replace("content-type", "application/octet-stream")
    handle:clearRouteCache()
  end
end

function envoy_on_response(handle)
  local status = handle:headers():get("x-grpc-status")
  if status == nil then return end
  local message = handle:headers():get("x-grpc-message")
  handle:headers():remove("x-grpc-status")
  handle:headers():remove("x-grpc-message")
  local trailers = handle:trailers()
  if trailers == nil then return end
  trailers:replace("grpc-status", status)
  if message ~= nil then trailers:replace("grpc-message", message) end
end
"""


def http_filters() -> list[Json]:
    return [
        {
            "name": _LUA,
            "typed_config": {
                "@type": _TYPE + "envoy.extensions.filters.http.lua.v3.Lua",
                "default_source_code": {"inline_string": _SCRIPT},
            },
        },
        {
            "name": _BRIDGE,
            "typed_config": {
                "@type": _TYPE + "envoy.extensions.filters.http.grpc_http1_reverse_bridge.v3.FilterConfig",
                "content_type": _MESSAGE,
                "withhold_grpc_frames": True,
            },
        },
        {
            "name": "envoy.filters.http.router",
            "typed_config": {
                "@type": _TYPE + "envoy.extensions.filters.http.router.v3.Router",
                "suppress_envoy_headers": True,
            },
        },
    ]


def routes(idle_stream_s: float) -> list[Json]:
    streaming: list[Json] = [
        {
            "match": _typed(prefix, {"prefix": "application/grpc"}),
            "route": _to_runtime("0s"),
            "typed_per_filter_config": _unbridged(),
        }
        for prefix in _STREAMING
    ]
    idle = f"{idle_stream_s:.0f}s"
    return [
        *streaming,
        {"match": _typed("/", {"prefix": "application/grpc"}), "route": _to_runtime(idle)},
        # the bridge has changed the type and asks for the route again
        {"match": _typed("/", {"exact": _MESSAGE}), "route": _to_runtime(idle)},
        {
            # the network's nodes clean such a path by redirect; a rewrite here would hide a caller's fault
            "match": {"prefix": "//"},
            "redirect": {
                "regex_rewrite": {"pattern": {"regex": "^/+"}, "substitution": "/"},
                "response_code": "TEMPORARY_REDIRECT",
            },
            "typed_per_filter_config": _plain(),
        },
        {
            "match": {"prefix": "/net."},
            "direct_response": {"status": 404, "body": {"inline_string": _NOT_FOUND}},
            "response_headers_to_add": [
                {"header": {"key": "content-type", "value": "text/plain; charset=utf-8"}}
            ],
            "typed_per_filter_config": _plain(),
        },
        {
            "match": {"prefix": "/stream/"},
            "route": _to_runtime(_DOWNLOAD_IDLE),
            "typed_per_filter_config": _plain(),
        },
        {"match": {"prefix": "/"}, "route": _to_runtime(idle), "typed_per_filter_config": _plain()},
    ]


def _typed(prefix: str, content_type: Json) -> dict[str, Json]:
    return {"prefix": prefix, "headers": [{"name": "content-type", "string_match": content_type}]}


def _to_runtime(idle: str) -> dict[str, Json]:
    return {
        "cluster": RUNTIME_CLUSTER,
        "timeout": "0s",  # a job takes as long as it takes; whoever asks has a limit of its own
        "idle_timeout": idle,
        "retry_policy": {
            # only where no byte of the request has reached a runtime: a job is never done twice
            "retry_on": "connect-failure,reset-before-request",
            "num_retries": 3,
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {"@type": _PREVIOUS_HOSTS},
                }
            ],
            "host_selection_retry_max_attempts": 5,
            "retry_back_off": {"base_interval": "0.010s", "max_interval": "0.100s"},
        },
    }


def _plain() -> dict[str, Json]:
    """Neither filter touches it."""
    lua = {"@type": _TYPE + "envoy.extensions.filters.http.lua.v3.LuaPerRoute", "disabled": True}
    return {_LUA: lua, **_unbridged()}


def _unbridged() -> dict[str, Json]:
    """As it is; the script still sees that it is a call over HTTP/2."""
    bridge = _TYPE + "envoy.extensions.filters.http.grpc_http1_reverse_bridge.v3.FilterConfigPerRoute"
    return {_BRIDGE: {"@type": bridge, "disabled": True}}
