#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything that needs a GPU, in one call under eight minutes, from the file that Scripts/gpu-bundle.sh made; Swift is
not needed. First the executor checks, then the benchmarks, with GPyTorch and JAX beside them where this Python has
them, and the card's measured ceilings. Writes one JSON record. Without a GPU it does what the CPU can and says so.

usage: gpu_check.py BUNDLE.tar.gz RECORD.json"""
import atexit, datetime, json, os, shutil, subprocess, sys, tempfile, time

LIMIT = 470  # seconds for everything
begin = time.time()
bundle, record_path = sys.argv[1:3]
here = os.path.dirname(os.path.abspath(__file__))
if not os.path.exists(bundle):
    sys.exit(f"no {bundle}: run `make gpu-bundle` on a machine with Swift, and copy the file here")
folder = tempfile.mkdtemp()
atexit.register(shutil.rmtree, folder, ignore_errors=True)
shutil.unpack_archive(bundle, folder)
binary = os.path.join(folder, "bagel", "bagel")
environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))
environment["LD_LIBRARY_PATH"] = os.path.join(folder, "bagel") + ":" + os.environ.get("LD_LIBRARY_PATH", "")
# NVRTC may be a package of this Python.
environment["PATH"] = os.path.dirname(sys.executable) + ":" + os.environ.get("PATH", "")
record = dict(date=datetime.date.today().isoformat(), results={}, failures=[], left_out=[])


def run(name, command, limit, env=None):
    """The JSON object on the command's last line, or None; what went wrong goes into the record."""
    left = LIMIT - (time.time() - begin)
    if left < 10:
        record["left_out"].append(f"{name}: no time left")
        return None
    start = time.time()
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=min(limit, left), cwd=folder)
        lines = done.stdout.strip().splitlines()
        result = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else None
        reason = done.returncode and f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-30000:]}"
    except subprocess.TimeoutExpired:
        result, reason = None, f"stopped after {time.time() - start:.0f} s"
    except ValueError:
        result, reason = None, "its last line is no JSON"
    if result is None or reason:
        record["failures"].append(f"{name}: {reason or 'no result'}")
    if result is not None:
        record["results"][name] = result
    shown = result and {k: result[k] for k in ("secondsPerIteration", "seconds_per_iteration", "flopPerSecond", "rolloutBytes",
                                               "checks", "successes", "fitSeconds") if k in result}
    print(f"{time.time() - begin:5.0f} s  {name}: {shown or ''}{' FAILED ' + str(reason)[-3000:] if reason or result is None else ''}", flush=True)
    return result


def bagel(name, *arguments, limit=90):
    return run(name, [binary, *arguments, "--json"], limit, environment)


def iteration(name, *arguments, limit=90):
    model = os.path.join(folder, "model.safetensors")  # learnt once
    return bagel(name, "benchmark", "iteration", "--seconds", "0.5", "--model", model, *arguments, limit=limit)


def peer(name, script, *arguments, limit=90):
    """A peer runs in this Python; one that is not installed is no failure."""
    module = next(name for name in ("jax", "gpytorch", "torch") if name in script)
    probe = [sys.executable, "-c", f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)"]
    if subprocess.run(probe, timeout=60).returncode:
        record["left_out"].append(f"{name}: {module} is not installed")
        return None
    return run(name, [sys.executable, os.path.join(here, script), *arguments], limit)


print(subprocess.run([binary, "doctor"], env=environment, capture_output=True, text=True).stdout)
doctor = bagel("doctor", "doctor") or {}
has_gpu = bool(doctor.get("gpus"))
if has_gpu and doctor.get("nvrtc") is None:
    sys.exit("a GPU, but no run-time compiler: pip install nvidia-cuda-nvrtc, or name it with BAGEL_NVRTC")
record["device"] = doctor["gpus"][0] if has_gpu else None
if has_gpu:
    on_gpu = ["--device", "cuda"]
    # Correct first.
    bagel("checks", "doctor", "--check", "cuda", limit=240)
    bagel("ceilings", "benchmark", "device")
    # The table of goals.
    iteration("experiment 1", *on_gpu)
    iteration("B 10000, H 1000", *on_gpu, "--particles", "10000", "--horizon", "1000")
    iteration("B 10000, [64, 64]", *on_gpu, "--particles", "10000", "--layers", "64,64")
    iteration("B 10000, [64, 64], all steps kept", *on_gpu, "--particles", "10000", "--layers", "64,64", "--tape-megabytes", "4096")
    iteration("love, B 1000", *on_gpu, "--particles", "1000", "--sampler", "love")
    for particles in (1_000, 10_000, 100_000):
        iteration(f"B {particles}", *on_gpu, "--particles", str(particles))
    # Beside the peers.
    data = os.path.join(folder, "data.csv")
    bagel("fit", "benchmark", "fit", "--data", data)
    if not os.path.exists(data):
        record["failures"].append("peers: no data for them")
    else:
        peer("GPyTorch", "gpytorch_iteration.py", data, "--device", "cuda")
        peer("JAX", "jax_iteration.py", data)
        peer("GPyTorch, B 1000", "gpytorch_iteration.py", data, "--device", "cuda", "--particles", "1000", "--iterations", "2")
    peer("products of PyTorch", "torch_ceilings.py")
    bagel("demo", "demo", *on_gpu, "--output", os.path.join(folder, "demo"))
    for name, *arguments in (("B 10000, H 1000", "--horizon", "1000"), ("B 10000",)):
        iteration(name + ", all steps kept", *on_gpu, "--particles", "10000", "--tape-megabytes", "8192", *arguments)
    # Layouts, for those who choose the default by them.
    for lanes in (1, 2, 4, 8, 16, 32):
        iteration(f"experiment 1, {lanes} lanes", *on_gpu, "--lanes", str(lanes))
        iteration(f"B 10000, {lanes} lanes", *on_gpu, "--particles", "10000", "--lanes", str(lanes))
    for each in (1, 2, 4):
        iteration(f"B 10000, [64, 64], {each} particles a warp", *on_gpu, "--particles", "10000", "--layers", "64,64",
                  "--lanes", "32", "--particles-per-lane", str(each))
    for each, warps in ((4, 8), (4, 4)):
        iteration(f"love, B 1000, {warps} warps for {each}", *on_gpu, "--particles", "1000", "--sampler", "love",
                  "--lanes", "32", "--particles-per-lane", str(each), "--warps", str(warps))
    for sampler in ("kiss-gp", "pathwise", "exact"):
        iteration(sampler, *on_gpu, "--sampler", sampler)
    bagel("row blocks, n 20000", "benchmark", "fit", "--outputs", "1", "--points", "20000", "--likelihood", "row-blocks",
          "--device", "cuda", limit=120)
else:
    print("no GPU here: what needs one is not run, and the record says so")
    record["left_out"].append("checks on a GPU, benchmarks on a GPU, peers: no GPU")
    bagel("checks on the host", "doctor", "--check", "host", limit=240)
    iteration("experiment 1 on the host")
record["seconds"] = round(time.time() - begin, 1)
os.makedirs(os.path.dirname(os.path.abspath(record_path)), exist_ok=True)
with open(record_path, "w") as file:
    json.dump(record, file, indent=1, sort_keys=True)
for line in record["left_out"]:
    print("left out:", line)
print(f"wrote {record_path} after {record['seconds']} s; {len(record['failures'])} failures")
sys.exit(1 if record["failures"] else 0)
