"""What the macros of macros.pyproject call, in the folder of a Python project:

    pyproject.py needs             what pyproject.toml asks for to build the project, as RPM dependencies
    pyproject.py wheel FOLDER      builds the project with its own backend
    pyproject.py install FOLDER ROOT SITELIB LIST
                                   installs that wheel below ROOT, and lists what a package of it has

The backend is called as PEP 517 says; there is no isolation, since a build root is one. Requirements are read as PEP
508 writes them, but for extras and markers, and wheels may have no scripts: what is not understood is an error.
"""

import importlib
import pathlib
import re
import sys
import tomllib
import zipfile

REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*\(?([^()]*)\)?\s*$")
CLAUSE = re.compile(r"\s*(>=|<=|==|>|<|!=|~=)\s*([0-9][0-9A-Za-z.]*)\s*$")


def dependency(requirement):
    """One requirement as an RPM dependency on what python3dist(NAME) offers."""
    match = REQUIREMENT.match(requirement)
    if match is None:
        sys.exit(f"pyproject.py: the requirement `{requirement}` is not understood")
    name = "python3dist(" + re.sub(r"[-_.]+", "-", match[1]).lower() + ")"
    conditions = []
    for clause in filter(str.strip, match[2].split(",")):
        parts = CLAUSE.match(clause)
        if parts is None:
            sys.exit(f"pyproject.py: `{clause}` in the requirement `{requirement}` is not understood")
        operator, version = parts[1], parts[2]
        if operator == "~=":
            *release, last = version.split(".")[:-1]
            above = ".".join([*release, str(int(last) + 1)])
            conditions += [f"{name} >= {version}", f"{name} < {above}"]
        elif operator == "!=":
            conditions.append(f"({name} < {version} or {name} > {version})")
        else:
            conditions.append(f"{name} {'=' if operator == '==' else operator} {version}")
    if len(conditions) > 1:
        return "(" + " with ".join(conditions) + ")"
    return conditions[0] if conditions else name


def build_system():
    with open("pyproject.toml", "rb") as file:
        table = tomllib.load(file).get("build-system", {})
    # What PEP 517 says of projects that do not say it.
    table.setdefault("requires", ["setuptools", "wheel"])
    table.setdefault("build-backend", "setuptools.build_meta:__legacy__")
    return table


def backend(table):
    """The object with the hooks of PEP 517."""
    sys.path[:0] = [str(pathlib.Path(path).resolve()) for path in table.get("backend-path", [])]
    module, _, names = table["build-backend"].partition(":")
    found = importlib.import_module(module)
    for name in filter(None, names.split(".")):
        found = getattr(found, name)
    return found


def needs():
    table = build_system()
    requirements = list(table["requires"])
    try:
        hook = getattr(backend(table), "get_requires_for_build_wheel", None)
    except ModuleNotFoundError:
        # The backend is among what is asked for; once it is there, it is asked for more.
        hook = None
    requirements += hook({}) if hook else []
    for requirement in requirements:
        print(dependency(requirement))


def wheel(folder):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    print(backend(build_system()).build_wheel(str(pathlib.Path(folder).resolve()), {}))


def install(folder, root, sitelib, listing):
    [path] = pathlib.Path(folder).glob("*.whl")
    tops = set()
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            top, _, rest = name.partition("/")
            if top.endswith(".data") or rest == "entry_points.txt":
                sys.exit(f"pyproject.py: {path.name} has `{name}`, which is not supported yet")
            tops.add(top)
        archive.extractall(root + sitelib)
    for top in tops:
        if top.endswith(".dist-info"):
            pathlib.Path(root + sitelib, top, "INSTALLER").write_text("rpm\n")
    pathlib.Path(listing).write_text("".join(f"{sitelib}/{top}\n" for top in sorted(tops)))


commands = {"needs": needs, "wheel": wheel, "install": install}
commands[sys.argv[1]](*sys.argv[2:])
