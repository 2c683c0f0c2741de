#!/usr/bin/env python3
"""Makes seeds for the fuzz targets of capture files and of our own pages.

Usage: fuzz-corpus.py CAPTURES DOCS CORPUS. Where there are no captures, there are only seeds from the pages.

decode   the UDP payloads of each capture, joined by the separator of the target (classic pcap over Ethernet only)
capture  the captures themselves, small ones and the starts of large ones
tape     the same payloads in frames; the target makes the checksums right
config   what stands in the pages as TOML
filter   what stands in the page of filters as code
"""
import pathlib
import re
import struct
import sys

SEPARATOR = b"\xff\xfe\xfd\xfc"
SEED_OCTETS = 16384


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


def segment(datagrams):
    header = b"FLOWTAPE" + struct.pack("<HHIqQ4s", 1, 64, 1, 0, 0, b"mark") + bytes(28)
    frames = b""
    for number, payload in enumerate(datagrams):
        frames += b"mark" + struct.pack("<IHBBIqIIHH16s", 0, len(payload), 4, 0, number, number, 0, 0, 2055, 2055, bytes(16))
        frames += payload
    return header + frames


def blocks(text, language):
    return re.findall(r"```" + language + r"\n(.*?)```", text, re.S)


def main(captures, docs, corpus):
    corpus = pathlib.Path(corpus)

    def seed(target, name, octets):
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        if octets:
            (folder / name).write_bytes(octets[:SEED_OCTETS])

    for path in sorted(pathlib.Path(captures).rglob("*.pcap*")):
        data = path.read_bytes()
        datagrams = list(payloads(data))
        seed("decode", path.stem, SEPARATOR.join(datagrams))
        seed("capture", path.name, data)
        # One flag octet: right checksums, raw and compressed, one segment and two, with damage.
        for flags in (1, 3, 9, 19) if datagrams else ():
            seed("tape", f"{path.stem}-{flags}", bytes([flags]) + segment(datagrams[:12]))
    for path in sorted(pathlib.Path(docs).glob("*.md")):
        text = path.read_text()
        for number, block in enumerate(blocks(text, "toml")):
            seed("config", f"{path.stem}-{number}", block.encode())
        if path.stem == "filter":
            quoted = re.findall(r"`([^`\n]+)`", text) + [line for block in blocks(text, r"\w*") for line in block.splitlines()]
            for number, line in enumerate(quoted):
                seed("filter", f"page-{number}", line.encode())


main(*sys.argv[1:4])
