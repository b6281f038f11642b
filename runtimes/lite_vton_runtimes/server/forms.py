"""The form of a request: photos and options, read into memory and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from types import TracebackType

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from lite_vton_runtimes.server.refusals import RefusedError

__all__ = ["Form", "Memory", "discard_body", "read_form"]

_MOST_FILES, _MOST_FIELDS = 8, 16
_MOST_FIELD = 1000  # bytes; fields are numbers and names


@dataclass(frozen=True)
class Form:
    """Files and fields by name."""

    files: Mapping[str, bytes]
    fields: Mapping[str, str]

    def file(self, name: str) -> bytes:
        """The bytes of a file that has to be there; else a `RefusedError` ("form")."""
        if name in self.files:
            return self.files[name]
        raise RefusedError("form", f"the form has no file {name!r}: send it as multipart/form-data")


class Memory:
    """What all forms of a server may hold together, in bytes. One upload that creeps along takes little of it."""

    def __init__(self, most: int) -> None:
        self._free = most

    def share(self) -> Share:
        """One request's part of it: a context manager that gives back what was taken."""
        return Share(self)

    def take(self, count: int) -> None:
        """`RefusedError` ("busy") where there is not as much."""
        if count > self._free:
            raise RefusedError("busy", "too many photos are being sent at once: try again in a few seconds")
        self._free -= count

    def give_back(self, count: int) -> None:
        """Free what was taken."""
        self._free += count


class Share:
    """What one request has taken of a `Memory`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._taken = 0

    def take(self, count: int) -> None:
        """As `Memory.take`."""
        self._memory.take(count)
        self._taken += count

    def __enter__(self) -> Share:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._memory.give_back(self._taken)


async def read_form(request: Request, most: int, seconds: float, share: Share) -> Form:
    """The request's multipart form of at most `most` bytes, sent within `seconds`; a file input left empty is no file.

    Raises a `RefusedError`: "too-large", "form", "out-of-time", "busy" or "cancelled".
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise RefusedError("form", "this is no form: send the photos as multipart/form-data")
    _check_length(request, most)
    parser = MultiPartParser(
        request.headers,
        _bounded(request, most, share),
        max_files=_MOST_FILES,
        max_fields=_MOST_FIELDS,
        max_part_size=_MOST_FIELD,
    )
    parser.spool_max_size = most + 1  # starlette would move a file beyond a megabyte to the disk
    try:
        async with asyncio.timeout(seconds):
            form = await parser.parse()
    except MultiPartException as error:
        raise RefusedError("form", f"the form cannot be read ({error.message}): send it again") from error
    except (LookupError, UnicodeError) as error:  # its charset is one of Python's codecs that decode no text
        raise RefusedError("form", f"the form cannot be read ({error}): send it as UTF-8") from error
    except TimeoutError as error:
        raise RefusedError("out-of-time", f"the upload took more than {seconds:g} s: send smaller photos") from error
    except ClientDisconnect as error:
        raise RefusedError("cancelled", "the connection broke off: send it again") from error
    try:
        files: dict[str, bytes] = {}
        fields: dict[str, str] = {}
        for name, part in form.multi_items():
            if isinstance(part, UploadFile):
                if part.filename or part.size:
                    files[name] = await part.read()
            else:
                fields[name] = part
        return Form(files, fields)
    finally:
        await form.close()


async def discard_body(request: Request, most: int, seconds: float) -> None:
    """Read what is still coming, up to `most` bytes: a client that is cut off while it sends never reads its answer."""
    try:
        async with asyncio.timeout(seconds):
            async for _ in _bounded(request, most):
                pass
    except (RefusedError, TimeoutError, ClientDisconnect, RuntimeError):
        return


def _check_length(request: Request, most: int) -> None:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise _too_large(most)


async def _bounded(request: Request, most: int, share: Share | None = None) -> AsyncGenerator[bytes, None]:
    length = 0
    async for piece in request.stream():
        length += len(piece)
        if length > most:
            raise _too_large(most)
        if share is not None:
            share.take(len(piece))
        yield piece


def _too_large(most: int) -> RefusedError:
    return RefusedError("too-large", f"the photos have more than {most / 1e6:g} MB together: scale them down")
