# SPDX-License-Identifier: Apache-2.0
"""LOC: a place on earth (RFC 1876)."""

from __future__ import annotations

import re

from redesignate.model.rdata.base import Rdata, Reader, RecordType

_USAGE = "d [m [s]] N|S d [m [s]] E|W altitude[m] [size[m] [horizontal[m] [vertical[m]]]]"
_ANGLE = r"([0-9]{1,3})(?: ([0-9]{1,2})(?: ([0-9]{1,2})(?:\.([0-9]{1,3}))?)?)?"
_METRES = r"([0-9]{1,8})(?:\.([0-9]{1,2}))?m?"
_SHAPE = re.compile(rf"{_ANGLE} ([NS]) {_ANGLE} ([EW]) (-?){_METRES}(?: {_METRES}(?: {_METRES}(?: {_METRES})?)?)?")
_EQUATOR = 2**31
_SEA = 10_000_000  # centimetres from the reference spheroid down to where altitude counts from
_DEFAULTS = (100, 1_000_000, 1_000)
_LARGEST = 9_000_000_000


def _encode(text: str) -> Rdata:
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(f"write {_USAGE}")
    part = found.groups()
    latitude = _angle(part[0:4], 90, negative=part[4] == "S")
    longitude = _angle(part[5:9], 180, negative=part[9] == "W")
    centimetres = _length(part[11], part[12])
    altitude = _SEA + (-centimetres if part[10] else centimetres)
    if not 0 <= altitude < 2**32:
        raise ValueError("altitude is not between -100000.00 and 42849672.95 metres")
    sizes = [
        default if whole is None else _length(whole, part[n + 1])
        for n, default in zip((13, 15, 17), _DEFAULTS, strict=True)
        for whole in (part[n],)
    ]
    wire = bytes((0, *map(_precision, sizes)))
    return Rdata(text, wire + b"".join(n.to_bytes(4, "big") for n in (latitude, longitude, altitude)))


def _angle(part: tuple[str | None, ...], most: int, *, negative: bool) -> int:
    """Thousandths of a second from the equator or the prime meridian, which is 2**31."""
    degrees, minutes, seconds = (int(piece or 0) for piece in part[:3])
    if minutes > 59 or seconds > 59:
        raise ValueError("minutes and seconds are at most 59")
    value = (degrees * 3600 + minutes * 60 + seconds) * 1000 + int((part[3] or "").ljust(3, "0"))
    if value > most * 3_600_000:
        raise ValueError(f"{'latitude' if most == 90 else 'longitude'} is at most {most} degrees")
    return _EQUATOR - value if negative else _EQUATOR + value


def _length(whole: str, part: str | None) -> int:
    """Centimetres."""
    return int(whole) * 100 + int((part or "").ljust(2, "0"))


def _precision(centimetres: int) -> int:
    """One digit and a power of ten, a nibble each: what is finer is cut off (RFC 1876 §2)."""
    if centimetres > _LARGEST:
        raise ValueError("sizes are at most 90000000.00 metres")
    digits = str(centimetres)
    return int(digits[0]) << 4 | (len(digits) - 1)


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    if reader.number(1) != 0:
        raise ValueError("only version 0 of LOC is known")
    sizes = [_metres(reader.number(1)) for _ in range(3)]
    latitude = _degrees(reader.number(4) - _EQUATOR, "NS")
    longitude = _degrees(reader.number(4) - _EQUATOR, "EW")
    altitude = reader.number(4) - _SEA
    reader.end()
    sign, altitude = ("-", -altitude) if altitude < 0 else ("", altitude)
    return " ".join((latitude, longitude, f"{sign}{altitude // 100}.{altitude % 100:02d}m", *sizes))


def _metres(precision: int) -> str:
    digit, power = divmod(precision, 16)
    if digit > 9 or power > 9 or (power and not digit):
        raise ValueError("a size is not one digit and a power of ten")
    centimetres = digit * 10**power
    return f"{centimetres // 100}.{centimetres % 100:02d}m"


def _degrees(value: int, sides: str) -> str:
    side = sides[value < 0]
    seconds, thousandths = divmod(abs(value), 1000)
    return f"{seconds // 3600} {seconds // 60 % 60} {seconds % 60}.{thousandths:03d} {side}"


LOC = RecordType(
    name="LOC",
    number=29,
    rfc="RFC 1876",
    usage=_USAGE,
    examples=("52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m", "42 N 71 W 10"),
    encode=_encode,
    decode=_decode,
)
