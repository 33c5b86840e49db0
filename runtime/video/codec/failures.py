"""Which text a peer gets for what went wrong inside the codec.

Gateways decide by these texts whether to suspend us, so every error that a segment can cause is named here.
What FFmpeg says beyond that is our own fault and keeps its words, which gateways do punish: a node with a
full disk should lose its streams to another one. Called around every codec call; raises nothing itself.
"""

from __future__ import annotations

import av
import av.error

from livepeer.wire import texts
from runtime.video.jobs import TranscodeError

_BY_KIND: tuple[tuple[type[Exception], str], ...] = (
    (av.error.InvalidDataError, texts.INVALID_DATA),
    (av.error.DecoderNotFoundError, texts.NO_DECODER),
    (av.error.DemuxerNotFoundError, texts.NO_DEMUXER),
    (av.error.EncoderNotFoundError, texts.NO_ENCODER),
    (av.error.MuxerNotFoundError, texts.NO_MUXER),
    (av.error.OptionNotFoundError, texts.NO_OPTION),
    (av.error.FilterNotFoundError, texts.FILTERGRAPH),
    (av.error.PatchWelcomeError, texts.UNSUPPORTED_CODEC),
    (av.error.ExternalError, texts.INVALID_ARGUMENT),  # an encoder library refused what it was asked
    (av.error.ArgumentError, texts.INVALID_ARGUMENT),
    (MemoryError, texts.UNRECOVERABLE),
    (OverflowError, texts.INVALID_ARGUMENT),
)


def as_transcode_error(error: Exception, doing: str) -> TranscodeError:
    """The peer-visible form of `error`; `doing` says for the log what was tried."""
    if isinstance(error, TranscodeError):
        return error
    detail = f"{doing}: {type(error).__name__}: {error}"
    for kind, text in _BY_KIND:
        if isinstance(error, kind):
            return TranscodeError(text, detail)
    if isinstance(error, av.error.FFmpegError):
        return TranscodeError(error.strerror or texts.UNRECOVERABLE, detail)
    return TranscodeError(texts.UNRECOVERABLE, detail)
