//! Builds that run at once share the CPUs by one job server, with real `make` in real build roots.

use tests::tree::Tree;
use tests::{has_docker, skip};

/// A spec whose `%build` makes twelve targets of a third of a second, each of which writes down when it starts and
/// ends: `make -O` would sort it.
fn spec(tree: &Tree, name: &str, command: &str) {
    let makefile = "targets = $(addprefix t,0 1 2 3 4 5 6 7 8 9 10 11)\nall: $(targets)\n$(targets):\n\
                    \t@echo + >>log; sleep 0.3; echo - >>log\n";
    tree.spec(name, &[], &format!("cat >Makefile <<'END'\n{makefile}END\n{command}\ncat log"));
}

/// The log of a package's `%build`, and the most targets that ran at once.
fn built(tree: &Tree, name: &str) -> (String, usize) {
    let log = tree.run(&["log", name, "--phase", "build"]).text;
    let running = log.lines().scan(0_usize, |running, line| {
        match line {
            "+" => *running += 1,
            "-" => *running = running.saturating_sub(1),
            _ => {}
        }
        Some(*running)
    });
    let most = running.max().unwrap_or(0);
    (log, most)
}

#[test]
fn a_build_gets_the_cpus_that_others_leave_and_only_where_its_spec_wants_it() {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    if cpus < 2 {
        return skip("the job server", "this machine has one CPU");
    }
    for sandbox in ["linux", "docker"] {
        if sandbox == "docker" && !has_docker() {
            skip("the job server in Docker", "no Docker Engine answers");
            continue;
        }
        let tree = Tree::new();
        // Named by the order they are built in: each alone, with a slot beside it.
        spec(&tree, "a", "%make_build");
        let jobs = (cpus * 2).to_string();
        let build =
            |more: &[&str]| tree.run(&[&["build", "--force", "--sandbox", sandbox, "--jobs", &jobs], more].concat());
        build(&["a"]).expect(0, &["a-1-1"]);
        let (log, most) = built(&tree, "a");
        assert_eq!(most, cpus, "{sandbox}: {log}");
        assert!(!log.contains("jobserver unavailable") && !log.contains("resetting jobserver"), "{sandbox}: {log}");
        build(&["a", "--job-server", "off"]).expect(0, &["a-1-1"]);
        assert_eq!(built(&tree, "a").1, 1, "its fixed share");
        for (name, command) in [("plain", "make"), ("serial", "%global _smp_mflags -j1\n%make_build")] {
            spec(&tree, name, command);
            build(&[name]).expect(0, &[]);
            assert_eq!(built(&tree, name).1, 1, "{name}");
        }
    }
}
