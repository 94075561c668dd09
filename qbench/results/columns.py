"""The columns of the frame of a run: what each is called, its unit, and what it means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `<batch>` in a name stands for a timed batch size, `<reference>` for the name of a peer."""

    name: str
    unit: str
    doc: str


TRIAL = (
    Column("key", "", "unique name of the trial"),
    Column("sweep", "", "sweep of the suite that the trial belongs to"),
    Column("model", "", "network, as the suite names it"),
    Column("data", "", "evaluation data, as the suite names it"),
    Column("layers", "", "`all`, or the one layer that is quantized"),
    Column("spec", "", "token of formats, bits and granularity"),
    Column("edges", "", "token of the first and last layer where it differs"),
    Column("overrides", "", "rules that give single layers another spec"),
    Column("recipe", "", "the stages that made it, e.g. mse, mse/bias, cle/mse+gptq"),
    Column("method", "", "how ranges and codes were chosen"),
    Column("correction", "", "stages after weights were rounded: bias, variance, both, or nothing"),
    Column("transform", "", "stages that changed the float network before: cle, or nothing"),
    Column("rounding", "", "stages that rounded codes anew: gptq, or nothing"),
    Column("seed", "", "draw of calibration images and random choices"),
    Column("calibration", "images", "number of calibration images"),
    Column("source", "", "where these come from: noise, batch-norm, none, or nothing for the data"),
    Column("variant", "", "kernel variant asked for"),
    Column("accumulator", "", "sums of few bits that were simulated: 16-wrap, 16-saturate, or nothing"),
    Column("backend", "", "who ran the network: qbench, or a peer"),
    Column("scope", "", "what is quantized: none, weights, activations or full"),
    Column("bits", "bits", "width of the weights, or of the activations where only they are quantized; 32 for fp32"),
    Column("weight_bits", "bits", "width of the weights"),
    Column("activation_bits", "bits", "width of the activations"),
    Column("format", "", "number format: uniform, log, pot, a codebook (kmeans, nf4, e4m3), ternary, binary, float32"),
    Column("granularity", "", "what shares a scale: tensor, channel or groupN; empty for fp32"),
    Column("status", "", "ok, skipped or failed"),
    Column("reason", "", "why the row is not ok"),
    Column(
        "execution",
        "",
        "what arithmetic was scored: float32, integer, mixed, dequantized or simulated",
    ),
    Column("machine", "", "id of the machine that made the row, as `run.json` names it; empty where there is but one"),
)

TARGET = Column("target", "", "the suite's target: kept, lost or unsure")
"""Beside the scores of the stage `pair` and the task's loss, which say themselves what they mean."""

TIMED = (
    Column("images_per_s_b<batch>", "images/s", "throughput; `_low`, `_high`: 95 %"),
    Column("latency_s_b<batch>", "s", "median time of a call"),
    Column("processes_b<batch>", "", "fresh processes that the times are of, where there were several"),
    Column("gops_b<batch>", "Gop/s", "10^9 operations per second, 2 per multiply-add"),
    Column("ceiling_b<batch>", "", "name of the machine's ceiling that this arithmetic can reach at most"),
    Column("ceiling_share_b<batch>", "%", "share of that ceiling"),
    Column("images_per_s_<reference>_b<batch>", "images/s", "throughput of a reference in the same rounds"),
    Column(
        "speedup_<reference>_b<batch>", "x", "paired ratio of the reference's time to this one; `_low`, `_high`: 95 %"
    ),
)

LOADED = (
    Column("latency_p<percent>_s_b<batch>", "s", "50th, 90th, 99th percentile of calls; `_low`, `_high`: 99 % each"),
    Column("latency_queries_b<batch>", "calls", "how many of them there were"),
    Column("single_p<percent>_s", "s", "SingleStream: one sample after the other; `_low`, `_high`: 99 % each"),
    Column("multi_p<percent>_s", "s", "MultiStream: eight samples at a time; `_low`, `_high`: 99 % each"),
    Column("<scenario>_queries", "calls", "queries of single, multi or server: 662 bound a p99 with 99 %"),
    Column("offline_per_s", "samples/s", "Offline: samples over time where all are there at once"),
    Column(
        "server_per_s",
        "queries/s",
        "Server: the largest rate of arrivals whose p99 is surely under the bound",
    ),
    Column("server_over_per_s", "queries/s", "the smallest rate that was not"),
    Column("server_p<percent>_s", "s", "latencies from scheduled arrivals at `server_per_s`"),
    Column("peak_bytes_b<batch>", "bytes", "most memory of a fresh process that loads the saved network and runs it"),
    Column("arena_bytes", "bytes", "buffers of activations, all threads"),
    Column("startup_s", "s", "from starting a fresh process to its first answer"),
    Column("first_startup_s", "s", "the same where nothing is compiled yet"),
    Column("energy_j_b<batch>", "J", "energy of a sample beyond the idle machine's; empty without a sensor"),
    Column("power_w_b<batch>", "W", "of the sensor's domain while the network runs"),
    Column("idle_w", "W", "of the same domain before"),
)
"""Beside these for qbench, or for the backend of a peer's row, the same with `_<reference>` behind for each peer."""

COUNTED = (
    Column(
        "macs_<weights>_<activations>",
        "MACs",
        "multiply-adds of layers an image, by the widths of both, as in macs_w4_a8",
    ),
    Column("bit_operations", "", "multiply-adds of layers an image times the widths of weights and activations"),
)

PHASES = (Column("phase_<name>_s", "s", "time spent in load, calibrate, quantize, compile, verify, score, time"),)

REMARKS = (
    Column("alarms", "", "things that look wrong, joined by '; '"),
    Column("notes", "", "free remarks, joined by '; '"),
)


SINGLE, MULTI, OFFLINE = "scenario/single", "scenario/multi", "scenario/offline"
SERVER, SERVER_OVER = "scenario/server", "scenario/server-over"
"""Groups of measurements: latencies of queries, or times of calls."""


def latency_group(batch: int) -> str:
    """Return the group of latencies of calls of so many samples."""
    return f"latency/batch{batch}"


def timed_column(kind: str, batch: int, *, reference: str = "") -> str:
    """Return the name of a timed column, e.g. `images_per_s_b256`, `speedup_onnxruntime-fp32_b256`."""
    return f"{kind}_{reference}_b{batch}" if reference else f"{kind}_b{batch}"


def batch_of(group: str) -> int | None:
    """Return N of a whole network's group `network/batchN`, or None for other groups."""
    digits = group.removeprefix("network/batch")
    return int(digits) if digits != group and digits.isdigit() else None
