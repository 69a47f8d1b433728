"""libsolv as an oracle: for every request, what it installs into an empty root.

Reads a JSON object a line: `primary`, the path of a primary.xml, and `requests`, each with the dependencies it `needs`
and `refuses` and the packages it is solved `without`. Writes an object a line: `answers`, each a list of packages or
the text of what is wrong, `load`, the seconds of reading and indexing, and `solve`, those of the solver alone.
"""
import json
import sys
import time

import solv

RELATIONS = {"<": solv.REL_LT, "<=": solv.REL_LT | solv.REL_EQ, "=": solv.REL_EQ,
             ">=": solv.REL_GT | solv.REL_EQ, ">": solv.REL_GT}


def dependency(pool, text):
    """A dependency as it stands in a header."""
    if text.startswith("("):
        found = pool.parserpmrichdep(text)
        if found is None:
            raise ValueError("libsolv refuses `%s`" % text)
        return found
    words = text.split()
    name = pool.Dep(words[0])
    return name.Rel(RELATIONS[words[1]], pool.Dep(words[2])) if len(words) == 3 else name


def asking(pool, repository, number, request):
    """A package that needs and refuses what a request does: installing it is the question."""
    package = repository.add_solvable()
    package.name, package.evr, package.arch = "request-%d" % number, "1-1", "noarch"
    for key, words in ((solv.SOLVABLE_REQUIRES, request["needs"]), (solv.SOLVABLE_CONFLICTS, request["refuses"])):
        for text in words:
            package.add_deparray(key, dependency(pool, text))
    return package


def answer(pool, package, request, by_nevra, everything):
    without = [by_nevra[nevra] for nevra in request["without"] if nevra in by_nevra]
    if without:
        pool.set_considered_list([number for number in everything if number not in without])
    solver = pool.Solver()
    solver.set_flag(solv.Solver.SOLVER_FLAG_IGNORE_RECOMMENDED, 1)
    job = pool.Job(solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE, package.id)
    begun = time.perf_counter()
    problems = solver.solve([job])
    took = time.perf_counter() - begun
    if problems:
        found = "\n".join(str(problem.findproblemrule().info().problemstr()) for problem in problems)
    else:
        found = sorted(str(one) for one in solver.transaction().newsolvables() if one.id != package.id)
    if without:
        pool.set_considered_list(everything)
    return found, took


def respond(question):
    begun = time.perf_counter()
    pool = solv.Pool()
    pool.setdisttype(solv.Pool.DISTTYPE_RPM)
    pool.setarch("x86_64")
    packages, requests = pool.add_repo("packages"), pool.add_repo("requests")
    with open(question["primary"], "rb") as primary:
        packages.add_rpmmd(solv.xfopen_fd("primary.xml", primary.fileno()), None)
    asked = [asking(pool, requests, number, request) for number, request in enumerate(question["requests"])]
    pool.addfileprovides()
    pool.createwhatprovides()
    load = time.perf_counter() - begun
    by_nevra = {str(one): one.id for one in packages.solvables}
    everything = [one.id for one in pool.solvables]
    found = [answer(pool, package, request, by_nevra, everything)
             for package, request in zip(asked, question["requests"])]
    return {"answers": [one for one, _ in found], "load": load, "solve": sum(took for _, took in found)}


for line in sys.stdin:
    print(json.dumps(respond(json.loads(line))), flush=True)
