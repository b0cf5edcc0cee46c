"""Lines in a terminal of 60 or 80 columns: none is longer, no word is broken; without a terminal none is wrapped."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

NAME = "a rather long name of a video of my summer holidays 2026.mp4"
PROGRESS = f"""
import time
from zedo_cli._stages import shown_stages
with shown_stages() as show:
    for done in range(4):
        show("detect", 1000 * done, 12345, {NAME!r})
        time.sleep(0.12)
    show("render", 1000, None, {NAME!r})
"""
FACTS = """
from pathlib import Path
from zedo_cli._output import alert, say
from zedo_cli._stages import say_next, summarise
from zedo_core.pipeline.request import InferReport
out = Path("a_folder_with_a_name_that_is_longer_than_the_terminal_is_wide_in_columns_" + 20 * "x")
seconds = {"load": 3.0, "detect": 14.1, "lift": 2.0, "motion": 1.7, "write": 0.2, "render": 15.5}
summarise(InferReport(method="zedo", frames=100, frames_with_people=100, people=2, sequence=True, hypotheses=10,
    poses=180, doubtful=3, filled=4, mended=12, cuts=1, camera_moves=True, focal_px=1682.0, reprojection_px=6.5,
    camera="guess (53 degrees diagonal field of view)", up="estimated from 57 standing poses", reused=50, damaged={},
    seconds=seconds, files=(out / "poses.npz",)))
say_next([out], ("npz",))
alert("warning", "the focal length is not estimated: it is known, or there are several cameras, of which one is known")
"""
WORDS = ("left and right exchanged back in 12 poses (see --sides)", "14.1 s", "15.5 s", "(see --redetect)", "--ground")


def in_terminal(script: str, columns: int) -> list[str]:
    """What a script shows in a terminal, without colours, line after line."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=theirs, stderr=theirs, env=environment | {"TERM": "xterm-256color"}
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait(30) == 0, shown.decode()
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    return [part.rstrip() for line in text.split("\n") for part in line.split("\r") if part.strip()]


@pytest.mark.parametrize("columns", [60, 80])
def test_bars_with_a_long_name_fit(columns):
    lines = in_terminal(PROGRESS, columns)
    assert max(len(line) for line in lines) <= columns
    last = [line for line in lines if "detect" in line][-1]
    assert re.search(r"^a rat.*… detect ━.* +3000/12345 +[\d.]+ frames/s +\d:\d\d:\d\d$", last), last
    assert all("render" in line or "detect" in line for line in lines)  # each on one line


@pytest.mark.parametrize("columns", [60, 80])
def test_facts_fit_and_no_word_is_broken(columns):
    lines = in_terminal(FACTS, columns)
    prose = [line for line in lines if "a_folder" not in line]
    assert max(len(line) for line in prose) <= columns
    whole = " ".join(" ".join(line.split()) for line in prose)
    assert all(words in whole for words in WORDS) and "warning: the focal length is not estimated" in whole
    broken = [line for line in prose if line[:1].isspace()]
    assert broken and all(line.startswith(" " * 14) and line[14] != " " for line in broken)  # below the values
    assert sum("a_folder" in line for line in lines) == 2  # paths and commands are left whole, to be copied


def test_without_a_terminal_every_fact_is_a_line():
    done = subprocess.run([sys.executable, "-c", FACTS], capture_output=True, text=True, check=True)
    assert done.stdout == "" and len(done.stderr.splitlines()) == 15
    assert (
        "time          load 3.0 s, detect 14.1 s, lift 2.0 s, motion 1.7 s, write 0.2 s, render 15.5 s" in done.stderr
    )
    assert done.stderr.splitlines()[-2].endswith("x --open")
