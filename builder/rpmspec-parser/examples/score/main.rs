//! Evaluates a corpus and writes one result a line, for its `score.py`.
//!
//! `cargo run --example score -- CORPUS [--arch x86_64] [--answers FILE] [--define 'NAME VALUE']
//! [--parsed FILE] [--time ROUNDS] [SPEC…]`; without names, all specs. `--parsed` writes the expanded texts, one
//! JSON object a line. `--time` evaluates all specs that often and writes how long the quickest round took instead.
//! `--tables` evaluates all specs in each way that was recorded, writes what `score.py` says and fails on a difference.
#![expect(clippy::disallowed_methods, reason = "the example reads and writes files; the crate does not")]

mod corpus;
mod result;
mod tables;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rpmspec_parser::PreparedContext;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut value = |what: &str| arguments.next().ok_or_else(|| io::Error::other(format!("{what} is missing")));
    let folder = PathBuf::from(value("the corpus folder")?);
    let (mut arch, mut answers) = ("x86_64".to_owned(), "shell-answers-photon.json".to_owned());
    let (mut defines, mut specs, mut parsed, mut rounds) = (Vec::new(), Vec::new(), None, 0_usize);
    while let Ok(argument) = value("an argument") {
        match argument.as_str() {
            "--tables" => {
                let holds = tables::tables(&folder)?;
                std::process::exit(i32::from(!holds));
            }
            "--arch" => arch = value("the architecture")?,
            "--answers" => answers = value("the answers")?,
            "--parsed" => parsed = Some(std::fs::File::create(value("the file")?)?),
            "--time" => rounds = value("the number of rounds")?.parse().map_err(io::Error::other)?,
            "--define" => {
                let define = value("the definition")?;
                let (name, body) = define.split_once(' ').ok_or_else(|| io::Error::other("write 'NAME VALUE'"))?;
                defines.push((name.to_owned(), body.to_owned()));
            }
            _ => specs.push(argument),
        }
    }
    let corpus = corpus::Corpus::read(&folder, &answers)?;
    if specs.is_empty() {
        specs = corpus.specs();
    }
    let defines: Vec<_> = defines.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let context = PreparedContext::new(&corpus.context(&arch, &defines));
    if rounds > 0 {
        return time(&corpus, &context, &specs, rounds);
    }
    for spec in specs {
        let evaluation = corpus.evaluate(&spec, &context);
        if let (Some(file), Some(package)) = (&mut parsed, &evaluation.package) {
            writeln!(file, "{}", serde_json::json!({"path": spec, "parsed": package.parsed}))?;
        }
        writeln!(out, "{}", result::result(&spec, &evaluation))?;
    }
    Ok(())
}

/// Times the evaluation of each spec, `rounds` times, and takes the quickest round for all and for each.
fn time(corpus: &corpus::Corpus, context: &PreparedContext, specs: &[String], rounds: usize) -> io::Result<()> {
    let mut best = Duration::MAX;
    let mut each = vec![Duration::MAX; specs.len()];
    for _ in 0..rounds {
        let mut all = Duration::ZERO;
        for (spec, best) in specs.iter().zip(&mut each) {
            let started = Instant::now();
            let evaluation = corpus.evaluate(spec, context);
            let took = started.elapsed();
            drop(evaluation);
            *best = took.min(*best);
            all += took;
        }
        best = all.min(best);
    }
    each.sort_unstable();
    let at = |percent: usize| each.get(each.len() * percent / 100).copied().unwrap_or_default();
    let (median, p90, p99) = (at(50), at(90), at(99));
    let most = each.last().copied().unwrap_or_default();
    writeln!(io::stdout(), "{best:?} for all; a spec: median {median:?}, p90 {p90:?}, p99 {p99:?}, most {most:?}")
}
