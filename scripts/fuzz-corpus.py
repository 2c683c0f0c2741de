#!/usr/bin/env python3
"""Makes a fuzz corpus of capture files: the UDP payloads of each file, joined by the separator of the decode target.

Usage: fuzz-corpus.py CAPTURES CORPUS. Does nothing where there are no captures. Reads classic pcap over Ethernet only,
which is enough for seeds.
"""
import pathlib
import struct
import sys

SEPARATOR = b"\xff\xfe\xfd\xfc"


def payloads(data):
    magic = data[:4]
    if magic not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") or struct.unpack("<I", data[20:24])[0] != 1:
        return
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack("<I", data[at + 8 : at + 12])[0]
        frame = data[at + 16 : at + 16 + length]
        at += 16 + length
        if frame[12:14] == b"\x08\x00" and len(frame) > 42 and frame[23] == 17:
            yield frame[14 + (frame[14] & 15) * 4 + 8 :]


def main(captures, corpus):
    for path in sorted(pathlib.Path(captures).rglob("*.pcap")):
        seed = SEPARATOR.join(payloads(path.read_bytes()))[:16384]
        if seed:
            (pathlib.Path(corpus) / path.with_suffix("").name).write_bytes(seed)


main(*sys.argv[1:3])
