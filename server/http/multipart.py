"""multipart/form-data (RFC 7578), read in one pass: the file is handed on, small fields of text are kept."""

from collections.abc import Callable, Container
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from server.errors import BadRequest, InvalidParameter, MissingAudio

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MOST_PARTS = 129
_MOST_TEXT = 65_536  # bytes of all fields of text together


class Form:
    """Hands the content of the field `name` to `append`, piece by piece, as the body is fed in; others are `fields`.

    With or without a file name, and however that is written: a part is what its name says.
    """

    def __init__(
        self,
        content_type: str,
        name: str,
        append: Callable[[bytes], None],
        describe: Callable[[str], None] = lambda _: None,
        texts: Container[str] = (),
    ) -> None:
        """Raise BadRequest where the media type has no usable boundary.

        `describe` is called with the content type of the field, where it has one. `texts` are the names of fields
        whose content is kept; of others the name is.
        """
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise BadRequest("the Content-Type of the form has no boundary")
        self._name = name.encode()
        self._append = append
        self._describe = describe
        self._texts = texts
        self._kept: list[tuple[str, bytearray]] = []
        self._room = _MOST_TEXT
        self._header_name = self._header_value = b""
        self._disposition = self._content_type = b""
        self._parts = 0
        self._wanted = self._found = self._keeps = self._ended = False
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin_part,
            "on_header_field": self._read_header_name,
            "on_header_value": self._read_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_content,
            "on_part_data": self._read_content,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise BadRequest(str(error)) from error

    def feed(self, data: bytes) -> None:
        """Read on; raise BadRequest where this is no form."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BadRequest(f"the form is malformed: {error}") from error

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Name and text of each other field, in their order; raise InvalidParameter where one is not UTF-8."""
        return [(name, _decoded(name, text)) for name, text in self._kept]

    def finish(self) -> None:
        """End; raise BadRequest for half a form, MissingAudio for one without the field."""
        if not self._ended:
            raise BadRequest("the form ends before its closing boundary")
        if not self._found:
            name = self._name.decode()
            raise MissingAudio(f"the form has no field '{name}': curl -F {name}=@speech.wav ...")

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise BadRequest(f"the form has more than {_MOST_PARTS} parts")
        self._disposition = self._content_type = b""

    def _read_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _read_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        elif self._header_name.lower() == b"content-type":
            self._content_type = self._header_value
        self._header_name = self._header_value = b""

    def _begin_content(self) -> None:
        name = parse_options_header(self._disposition)[1].get(b"name")
        if name is None:
            raise BadRequest("a part of the form has no name in its Content-Disposition")
        self._wanted = name == self._name
        if self._wanted and self._found:
            raise BadRequest(f"the form has more than one field '{self._name.decode()}'")
        self._found = self._found or self._wanted
        if self._wanted:
            self._describe(self._content_type.decode("latin-1"))
            return
        text = name.decode(errors="replace")
        self._keeps = text in self._texts
        self._kept.append((text, bytearray()))

    def _read_content(self, data: bytes, start: int, end: int) -> None:
        if self._wanted:
            self._append(data[start:end])
        elif self._keeps:
            self._room -= end - start
            if self._room < 0:
                raise BadRequest(f"the fields beside '{self._name.decode()}' hold more than {_MOST_TEXT} bytes")
            self._kept[-1][1].extend(data[start:end])

    def _end(self) -> None:
        self._ended = True


def _decoded(name: str, text: bytearray) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise InvalidParameter(f"{name}: not UTF-8", name) from None
