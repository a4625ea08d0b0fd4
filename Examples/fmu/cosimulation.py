# SPDX-License-Identifier: Apache-2.0
# What plant.py and check.py share: an FMU as a machine that is stepped, through FMPy.
# In:  an FMU for co-simulation, FMI 2.0 or 3.0; numbers by the names of its variables.
# Out: numbers by name. A problem is one line on standard error and exit code 1.
import difflib
import importlib
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

DISCARD = 2  # fmi2Status, fmi3Status
TERMINATED = 3  # fmi2StatusKind
FLOATS = {"Real", "Float64", "Float32"}


class Refusal(Exception):
    """What is wrong, and what is there instead: one line."""


def run(program):
    """Runs a program; a refusal becomes its last line on standard error."""
    try:
        program()
    except Refusal as problem:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)


def library(name="fmpy"):
    try:
        return importlib.import_module(name)
    except ImportError as problem:
        raise Refusal(f"FMPy is not there: pip install fmpy ({problem})") from None


def listed(names, most=20):
    """The names in one line, the first of them if they are many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "none"


def quiet_output():
    """Standard output as it was; what anyone else prints, C code of the FMU too, goes to standard error."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return output


class FMU:
    """An FMU; one instance at a time. Use it as a context: what is unpacked is removed at the end."""

    def __init__(self, path):
        fmpy = library()
        self.path, self.instance, self.last_words = str(path), None, ""
        if not os.path.isfile(path):
            raise Refusal(f"there is no file {path}")
        try:
            # Tools write descriptions that no schema takes; check.py looks at that.
            self.description = fmpy.read_model_description(self.path, validate=False)
        except Exception as problem:  # of zipfile, lxml or FMPy
            raise Refusal(f"{path} is no FMU that can be read: {problem}") from None
        version, kind = self.description.fmiVersion, self.description.coSimulation
        self.is_fmi3 = version.startswith("3.")
        if version != "2.0" and not self.is_fmi3:
            raise Refusal(f"{path} is of FMI {version}; 2.0 and 3.0 are read: export it anew")
        if kind is None:
            raise Refusal(f"{path} is not for co-simulation: it has no solver. Export it for co-simulation")
        self.variables = {variable.name: variable for variable in self.description.modelVariables}
        self.folder = self.binary = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self):
        """Unpacks it, and compiles it if it must be."""
        fmpy = library()
        self.folder = tempfile.mkdtemp(prefix="fmu-")
        try:
            fmpy.extract(self.path, self.folder)
        except Exception as problem:  # of zipfile, or an illegal path
            raise Refusal(f"{self.path} cannot be unpacked: {problem}") from None
        self.binary = self._binary(fmpy)

    def _binary(self, fmpy):
        """The shared library for this computer."""
        name = self.description.coSimulation.modelIdentifier
        places = pathlib.Path(self.folder) / "binaries"
        for place in (fmpy.platform_tuple, fmpy.platform):
            path = places / place / (name + fmpy.sharedLibraryExtension)
            if path.is_file():
                return str(path)
        there = sorted(path.name for path in places.glob("*")) if places.is_dir() else []
        wanted = fmpy.platform_tuple if self.is_fmi3 else fmpy.platform
        others = f" (only for {listed(there)})" if there else ""
        missing = f"{self.path} has no binary for this computer, {wanted}{others}"
        sources = self._sources()
        if not sources:
            raise Refusal(f"{missing}, and no C sources: export it for {wanted}, or with sources")
        print(f"{missing}: its sources are compiled", file=sys.stderr)
        return self._compiled(fmpy, sources, places / wanted / (name + fmpy.sharedLibraryExtension))

    def _sources(self):
        """C files to compile, and macros."""
        builds = self.description.buildConfigurations
        name = self.description.coSimulation.modelIdentifier
        builds = [build for build in builds if build.modelIdentifier == name] or builds
        folder = pathlib.Path(self.folder) / "sources"
        if builds:
            sets = builds[0].sourceFileSets
            files = [folder / file for one in sets for file in one.sourceFiles]
            self.macros = [f"-D{one.name}={one.value or ''}" for part in sets for one in part.preprocessorDefinitions]
        else:
            files, self.macros = sorted(folder.glob("*.c")), []
        return [str(file) for file in files if file.is_file()]

    def _compiled(self, fmpy, sources, target):
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("clang") or shutil.which("gcc")
        if compiler is None:
            raise Refusal(
                f"{self.path} has sources for this computer, and there is no C compiler: install one, or set CC"
            )
        headers = pathlib.Path(fmpy.__file__).parent / "c-code"
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [
            *compiler.split(),
            "-O2",
            "-fPIC",
            "-shared",
            *self.macros,
            f"-I{self.folder}/sources",
            f"-I{headers}",
            "-o",
            str(target),
            *sources,
            "-lm",
        ]
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if ended.returncode != 0:
            words = (
                [line for line in ended.stderr.splitlines() if "error" in line] or ended.stderr.splitlines() or ["?"]
            )
            raise Refusal(f"the sources of {self.path} do not compile ({compiler}): {words[0]}")
        return str(target)

    def chosen(self, names, causalities, what, floats=False):
        """Variables of these names, checked. `causalities`: those that are of use."""
        known = [name for name, variable in self.variables.items() if variable.causality in causalities]
        for name in names:
            variable = self.variables.get(name)
            if variable is None:
                alike = difflib.get_close_matches(name, known, 1)
                hint = f" (did you mean {alike[0]}?)" if alike else ""
                raise Refusal(f"{self.path} has no variable {name}{hint}; it has, for {what}: {listed(known)}")
            if variable.causality not in causalities:
                wanted = " or ".join(causalities)
                raise Refusal(
                    f"{name} is of the causality {variable.causality}, and {what} are of {wanted}: {listed(known)}"
                )
            if variable.type in ("String", "Binary", "Clock") or floats and variable.type not in FLOATS:
                raise Refusal(f"{name} is of the type {variable.type}; {what} are {'real ' if floats else ''}numbers")
            if variable.dimensions or variable.dimensionValueReferences:
                raise Refusal(f"{name} is an array; {what} are single numbers")
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise Refusal(f"{twice[0]} occurs twice among {what}")
        return [self.variables[name] for name in names]

    def changeable(self, names):
        """Variables that may be given a value before the start: parameters, inputs, starts of states."""
        for name, variable in zip(
            names,
            self.chosen(
                names, ("parameter", "input", "local", "output", "structuralParameter"), "values at the start"
            ),
        ):
            is_own = variable.causality in ("parameter", "structuralParameter", "input")
            if not is_own and variable.initial not in ("exact", "approx"):
                raise Refusal(f"{name} is computed by the FMU, so that no value can be given to it at the start")
            if variable.variability == "constant":
                raise Refusal(f"{name} is a constant")

    def _access(self, verb, variable):
        kind = {"Enumeration": "Int64" if self.is_fmi3 else "Integer"}.get(variable.type, variable.type)
        return getattr(self.instance, verb + kind)

    def set(self, variables, values):
        for variable, value in zip(variables, values):
            value = float(value) if variable.type in FLOATS else round(value)
            self._call(
                f"setting {variable.name} to {value:g}",
                self._access("set", variable),
                [variable.valueReference],
                [value],
            )

    def get(self, variables):
        """Refuses what is no number."""
        values = []
        for variable in variables:
            found = self._call(f"reading {variable.name}", self._access("get", variable), [variable.valueReference])
            values.append(float(found[0]))
            if not math.isfinite(values[-1]):
                raise Refusal(f"{variable.name} is {values[-1]} at t = {self.time:g} s")
        return values

    def begin(self, starts=None):
        """A new run at t = 0. `starts`: {name: value}."""
        starts = starts or {}
        once = self.description.coSimulation.canBeInstantiatedOnlyOncePerProcess
        if self.instance is not None and once:
            self._call("reset", self.instance.reset)
        else:
            # Rejected: always `reset`. Some tools' leave states as they are.
            self.end()
            self._instantiate()
        self.time, self.steps = 0.0, 0
        if not self.is_fmi3:
            self._call("setup", self.instance.setupExperiment, startTime=0.0)
        self.set([self.variables[name] for name in starts], starts.values())
        self._call(
            "initialization", self.instance.enterInitializationMode, **({"startTime": 0.0} if self.is_fmi3 else {})
        )
        self._call("the end of initialization", self.instance.exitInitializationMode)

    def _instantiate(self):
        simulation = library("fmpy.simulation")
        if self.binary is None:
            self.prepare()
        try:
            self.instance = simulation.instantiate_fmu(
                self.folder, self.description, "CoSimulation", logger=self._heard, library_path=self.binary
            )
        except Exception as problem:  # FMPy's are of no class
            needs = self.description.coSimulation.needsExecutionTool
            tool = " It needs the tool that wrote it on this computer" if needs else ""
            raise Refusal(f"{self.path} cannot be started: {problem}.{self._words()}{tool}") from None

    def _heard(self, *message):
        """A line of the FMU's log; FMI 2.0 has the instance's name too."""
        text = message[-1] or b""
        self.last_words = " ".join((text.decode("utf-8", "replace") if isinstance(text, bytes) else text).split())
        print(f"FMU: {self.last_words}", file=sys.stderr)

    def _words(self):
        return f" It said: {self.last_words}." if self.last_words else ""

    def _call(self, what, function, *arguments, **named):
        try:
            return function(*arguments, **named)
        except Exception as problem:  # FMICallException; AttributeError of a function that is missing
            if getattr(problem, "status", None) == DISCARD and what == "the step":
                raise
            raise Refusal(
                f"{self.path}: {what} failed at t = {getattr(self, 'time', 0):g} s: {problem}.{self._words()}"
            ) from None

    def step(self, seconds, parts=1):
        """Goes on by `seconds`, in equal parts; returns whether the FMU has ended the run."""
        for _ in range(parts):
            at, length = self.steps * seconds / parts, seconds / parts
            try:
                answer = self._call("the step", self.instance.doStep, at, length)
            except Refusal:
                raise
            except Exception as problem:
                if not self.is_fmi3 and self._call("a question", self.instance.getBooleanStatus, TERMINATED):
                    return True
                raise Refusal(
                    f"{self.path}: the step from t = {at:g} s was not done: {problem}.{self._words()}"
                ) from None
            self.steps += 1
            self.time = self.steps * seconds / parts
            if self.is_fmi3:
                _, is_over, _, reached = answer
                if is_over:
                    return True
                if reached < at + 0.999 * length:
                    raise Refusal(f"{self.path}: the step from t = {at:g} s ended at {reached:g} s already")
        return False

    def parts(self, time_step, wanted=None):
        """Communication steps in a time step: as wanted, or as the FMU says, or one."""
        fixed = self.description.coSimulation.fixedInternalStepSize
        usual = getattr(self.description.defaultExperiment, "stepSize", None)
        for size, source in ((wanted, "--communication-step"), (fixed, "the FMU's own step"), (usual, None)):
            if size is None or float(size) <= 0:
                continue
            parts = round(time_step / float(size))
            if parts >= 1 and abs(parts * float(size) / time_step - 1) < 1e-6:
                return 1 if source == "the FMU's own step" else parts
            if source:
                raise Refusal(f"the time step of {time_step:g} s is no multiple of {source} of {float(size):g} s")
        return 1

    def end(self):
        """Ends the run; an FMU that fails at this is let go all the same."""
        if self.instance is None:
            return
        for function in (self.instance.terminate, self.instance.freeInstance):
            try:
                function()
            except Exception as problem:
                print(f"FMU: {problem}", file=sys.stderr)
        self.instance = None
