"""Reads the ceilings, the workloads, record.json and dmon.txt of one session and prints the comparison tables as Markdown."""
import json
import sys
from pathlib import Path

folder = Path(sys.argv[1])


def ceilings():
    rounds = [
        ({c["id"]: c for c in json.loads((folder / f"ceilings-{n}.json").read_text())["ceilings"]}, json.loads((folder / f"pytorch-{n}.json").read_text()))
        for n in (1, 2)
    ]
    print("| ceiling | Dyno, round 1 | round 2 | PyTorch, round 1 | round 2 | Dyno / PyTorch |\n|---|---|---|---|---|---|")
    for key, ceiling in rounds[0][0].items():
        scale, unit = (1e12, "TFLOP/s") if ceiling["unit"] == "FLOP/s" else (1e9, "GB/s") if ceiling["unit"] == "bytes/s" else (1e-6, "µs") if ceiling["unit"] == "s" else (1, "MHz")
        ours = [ours[key]["value"] for ours, _ in rounds if key in ours]
        theirs = [other[key] for _, other in rounds if key in other]
        text = " | ".join(f"{v / scale:.2f} {unit}" for v in ours)
        if theirs:
            print(f"| {ceiling['name']} | {text} | " + " | ".join(f"{v / scale:.2f}" for v in theirs) + f" | {sum(ours) / sum(theirs):.4f} |")
        else:
            print(f"| {ceiling['name']} | {text} | – | – | – |")


def workloads():
    for each in json.loads((folder / "workloads.json").read_text())["report"]:
        print(f"\n{each['id']}: verified {each['verified']}, {each['iterations']} iterations\n\n| variant | median ms | least | most | TFLOP/s | host GB/s | worst error / limit |\n|---|---|---|---|---|---|---|")
        for v in each["variants"]:
            errors = ", ".join(f"{x['output']} {x['worst']:.2e} / {x['limit']:.0e} over {x['elements']}" for x in v["verification"])
            print(f"| {v['variant']} | {v['medianMs']:.3f} | {v['leastMs']:.3f} | {v['mostMs']:.3f} | {v['teraFlopPerSecond']:.2f} | {v['hostGigabytesPerSecond']:.1f} | {errors} |")


def dmon_rows(path):
    columns, rows = None, []
    for line in path.read_text().splitlines():
        words = line.lstrip("#").split()
        if line.startswith("#"):
            if "gpu" in line and columns is None:
                columns = words
            continue
        if columns and len(words) == len(columns):
            rows.append(dict(zip(columns, words)))
    return columns, rows


def telemetry(name):
    record = json.loads((folder / name).read_text())
    print(f"\n{name}. Sampler: {record['samplerCpuSeconds']:.4f} s of processor time in {record['wallSeconds']:.1f} s, {record['dropped']} dropped, {len(record['samples']['t'])} samples.")
    if "stopped" in record:
        print("High resolution:", json.dumps(record["stopped"]), record["count"], "samples")
    columns, rows = dmon_rows(folder / "dmon.txt") if (folder / "dmon.txt").exists() and name == "record.json" else (None, [])
    if columns:
        print("dmon columns:", columns)
    print("| phase | SM utilisation (GPM) | dmon GPM | occupancy | tensor | DRAM | kernel resident | dmon sm | power W | SM clock |\n|---|---|---|---|---|---|---|---|---|---|")
    for phase in record["phases"]:
        metric = lambda key: f"{phase['perMetric'][key]['mean']:.2f}" if key in phase["perMetric"] else "absent"
        seconds = (phase["end"] - phase["start"]) / 1e9
        inside = []
        for row in rows:
            h, m, s = (int(x) for x in row["Time"].split(":"))
            # dmon prints seconds of the local day (the machine runs on UTC)
            at = h * 3600 + m * 60 + s
            end = phase["wall"] % 86400
            if end - seconds + 2.0 <= at <= end - 0.5:
                inside.append(row)
        mean = lambda key: (lambda v: f"{sum(v) / len(v):.2f} (n={len(v)})" if v else "–")([float(r[key]) for r in inside if r.get(key, "-") not in ("-", "")])
        gpm = next((c for c in columns or [] if "gpm" in c.lower() or "smutil" in c.lower()), "")
        print(f"| {phase['phase']} | {metric('smUtilisation')} | {mean(gpm)} | {metric('smOccupancy')} | {metric('tensorActivity')} | {metric('dramBandwidth')} | {metric('kernelResident')} | {mean('sm')} | {metric('power')} | {metric('smClock')} |")


if (folder / "pytorch-2.json").exists():
    ceilings()
if (folder / "workloads.json").exists():
    workloads()
if (folder / "ceilings-gpu1.json").exists():
    for n in ("1", "gpu1"):
        for c in json.loads((folder / f"ceilings-{n}.json").read_text())["ceilings"]:
            if c["id"].startswith("peerCopy"):
                print(f"\n{c['name']}: {c['value'] / 1e9:.2f} GB/s ({c['least'] / 1e9:.2f} to {c['most'] / 1e9:.2f}, n={c['repetitions']})")
for name in ("record.json", "record-alone.json", "record-high.json"):
    if (folder / name).exists():
        telemetry(name)
