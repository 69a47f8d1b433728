//! Seeds made from a repository of real RPMs: rpmbuild makes the packages, createrepo_c the repodata, gpg the
//! signature; by path, and over HTTP from a server in this process that misbehaves on command.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod trust;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::seeds::{SeedRpm, SeedSettings, ensure};
use crate::sources::test_server::{Reply, Request, TestServer};

const SPEC: &str = "\
Name: outer\nVersion: 2.0\nRelease: 1\nSummary: x\nLicense: MIT\nBuildArch: noarch\n\
Requires: %{name}-libs = %{version}-%{release}\nRequires: /usr/share/outer/odd\n\
Provides: virtual(outer) = 1:3\nRecommends: (alone if nobody)\nConflicts: older < 1\n\
%description\nx\n\
%package libs\nSummary: x\n%description libs\nx\n\
%package -n alone\nSummary: x\n%description -n alone\nx\n\
%install\nmkdir -p %{buildroot}/usr/share/outer %{buildroot}/usr/bin\n\
echo a > '%{buildroot}/usr/share/outer/odd'; echo b > %{buildroot}/usr/bin/alone\n\
head -c 100000 /dev/urandom > %{buildroot}/usr/share/outer/big\n\
%files\n%files libs\n/usr/share/outer\n%files -n alone\n/usr/bin/alone\n%ghost /usr/share/alone.ghost\n";

/// Whether the programs are here. Without them a test does nothing, which CI does not accept.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn are_here(programs: &[&str]) -> bool {
    programs.iter().all(|program| {
        let is_here = Command::new(program).arg("--version").output().is_ok();
        assert!(is_here || std::env::var_os("CI").is_none(), "`{program}` is missing, and CI must not skip tests");
        if !is_here {
            eprintln!("SKIPPED: `{program}` is missing; `apt-get install rpm createrepo-c gpg gpgv` brings it");
        }
        is_here
    })
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository of real RPMs, one of its directories deeper than the other; `None` without the tools.
fn repository(options: &[&str]) -> Option<tempfile::TempDir> {
    if !are_here(&["rpmbuild", "createrepo_c"]) {
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let top = directory.path().join("top");
    fs::create_dir(&top).unwrap();
    let spec = top.join("outer.spec");
    fs::write(&spec, SPEC).unwrap();
    run(Command::new("rpmbuild").args(["-ba", "--define"]).arg(format!("_topdir {}", top.display())).arg(&spec));
    let root = directory.path().join("repo");
    fs::create_dir_all(root.join("deep")).unwrap();
    for (from, to) in [("RPMS/noarch", ""), ("SRPMS", "deep")] {
        for entry in fs::read_dir(top.join(from)).unwrap() {
            let path = entry.unwrap().path();
            fs::rename(&path, root.join(to).join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::rename(root.join("alone-2.0-1.noarch.rpm"), root.join("deep/alone-2.0-1.noarch.rpm")).unwrap();
    createrepo(&root, options);
    Some(directory)
}

fn createrepo(root: &Path, options: &[&str]) {
    run(Command::new("createrepo_c").args(options).arg(root));
}

fn settings(url: &str, more: &str) -> RepositorySeed {
    let text = format!("[seed.x]\nkind = \"repository\"\nurl = \"{url}\"\n{more}\n");
    let mut file: crate::seeds::StageFile = toml::from_str(&text).unwrap();
    let Some(SeedSettings::Repository(mut seed)) = file.seed.remove("x") else { panic!("no repository") };
    seed.file = PathBuf::from("stages/00-seeds.toml");
    seed
}

fn try_prepare(settings: &RepositorySeed, cache: &Path, offline: bool) -> Result<Seed, SeedError> {
    prepare("x", settings, PrepareOptions { cache, offline, refresh: false }, &|_| {})
}

fn ensure_all(seed: &Seed) -> Result<(), SeedError> {
    let all: Vec<&SeedRpm> = seed.packages.iter().collect();
    ensure(std::slice::from_ref(seed), &all, &|_| {})
}

/// Serves a directory; `change` may answer instead.
fn serve(root: PathBuf, change: impl Fn(&Request, usize) -> Option<Reply> + Send + 'static) -> TestServer {
    TestServer::start(move |request, count| {
        let file = || fs::read(root.join(request.path.trim_start_matches('/')));
        change(request, count).unwrap_or_else(|| file().map_or_else(|_| Reply::status(404), |bytes| Reply::ok(&bytes)))
    })
}

fn file_of(root: &Path, part: &str) -> PathBuf {
    let entries = fs::read_dir(root.join("repodata")).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = entries.filter(|path| path.display().to_string().contains(part)).collect();
    assert_eq!(found.len(), 1, "{part}: {found:?}");
    found.into_iter().next().unwrap()
}

#[test]
fn a_directory_gives_what_the_headers_say() {
    for options in
        [&["--compress-type=gz"][..], &["--compress-type=xz", "--checksum=sha256"], &["--repomd-checksum=sha512"]]
    {
        let Some(place) = repository(options) else { return };
        let (root, cache) = (place.path().join("repo"), tempfile::tempdir().unwrap());
        let seed = try_prepare(&settings(&root.display().to_string(), ""), cache.path(), true).unwrap();
        let names: Vec<String> = seed.packages.iter().map(|rpm| rpm.metadata.nevra.to_string()).collect();
        assert_eq!(
            names,
            ["alone-2.0-1.noarch", "outer-2.0-1.noarch", "outer-libs-2.0-1.noarch"],
            "no source packages"
        );
        assert!(seed.packages.iter().all(|rpm| !rpm.path.exists()), "files come when they are used");
        let outer = &seed.packages[1];
        ensure(std::slice::from_ref(&seed), &[outer], &|_| {}).unwrap();
        let there = seed.packages.iter().filter(|rpm| rpm.path.exists()).count();
        assert_eq!(there, 1, "only the file that is used is brought");
        ensure_all(&seed).unwrap();
        for rpm in &seed.packages {
            assert_eq!(same_order(&rpm.metadata), same_order(&::repository::read_rpm(&rpm.path).unwrap().metadata));
        }
        let again = try_prepare(&settings(&root.display().to_string(), ""), cache.path(), true).unwrap();
        assert_eq!((again.packages, again.digest), (seed.packages, seed.digest));
    }
}

/// createrepo_c and rpm order and repeat dependencies differently; the sets must agree.
fn same_order(metadata: &rpmspec_parser::rpm::PackageMetadata) -> rpmspec_parser::rpm::PackageMetadata {
    fn sorted<T: Ord + Clone>(list: &[T]) -> Vec<T> {
        list.iter().cloned().collect::<BTreeSet<T>>().into_iter().collect()
    }
    let mut metadata = metadata.clone();
    metadata.provides = sorted(&metadata.provides);
    metadata.requires = sorted(&metadata.requires);
    metadata.files = sorted(&metadata.files);
    metadata
}

#[test]
fn a_url_is_resolved_once_and_then_needs_no_network() {
    let Some(place) = repository(&[]) else { return };
    let (root, cache) = (place.path().join("repo"), tempfile::tempdir().unwrap());
    let server = serve(root.clone(), |_, _| None);
    let settings = settings(&server.url(""), "unverified = true");
    let error = try_prepare(&settings, cache.path(), true).unwrap_err().to_string();
    assert!(error.contains("never fetched") && error.contains("--offline"), "{error}");
    let seed = try_prepare(&settings, cache.path(), false).unwrap();
    let after_metadata = server.requests().len();
    assert_eq!(after_metadata, 3, "repomd, primary, filelists");
    let offline = try_prepare(&settings, cache.path(), true).unwrap();
    let error = ensure_all(&offline).unwrap_err().to_string();
    assert!(error.contains("3 packages are missing: alone-2.0-1.noarch") && error.contains("--offline"), "{error}");
    ensure_all(&seed).unwrap();
    assert_eq!(server.requests().len(), after_metadata + 3);
    ensure_all(&offline).unwrap();
    // What the server does from now on is of no interest.
    fs::remove_dir_all(&root).unwrap();
    let again = try_prepare(&settings, cache.path(), false).unwrap();
    ensure_all(&again).unwrap();
    assert_eq!(again.packages, seed.packages);
    assert_eq!(server.requests().len(), after_metadata + 3);
    // Damage in the cache is noticed, and would be mended from the network.
    let path = &again.packages[0].path;
    fs::remove_file(path).unwrap();
    fs::write(path, "damaged").unwrap();
    let error = ensure_all(&try_prepare(&settings, cache.path(), true).unwrap()).unwrap_err().to_string();
    assert!(error.contains("1 packages are missing"), "{error}");
    let error = ensure_all(&again).unwrap_err().to_string();
    assert!(
        error.contains("alone-2.0-1.noarch.rpm") && error.contains("404") && error.contains("lock.json"),
        "{error}"
    );
}

#[test]
fn a_mirror_that_answers_stands_in_for_one_that_does_not() {
    let Some(place) = repository(&[]) else { return };
    let (root, cache) = (place.path().join("repo"), tempfile::tempdir().unwrap());
    let dead = serve(root.clone(), |_, _| Some(Reply::status(503)));
    let server = serve(root, |_, _| None);
    let mirrors = format!("mirrors = [\"{}\"]\nunverified = true", server.url(""));
    let seed = try_prepare(&settings(&dead.url(""), &mirrors), cache.path(), false).unwrap();
    ensure_all(&seed).unwrap();
    assert_eq!(server.requests().len(), 6, "repodata and packages came from the mirror");
    assert!(!dead.requests().is_empty(), "the first one was asked first");
}

#[test]
fn a_broken_download_goes_on_and_a_damaged_part_is_thrown_away() {
    let Some(place) = repository(&[]) else { return };
    let (root, cache) = (place.path().join("repo"), tempfile::tempdir().unwrap());
    let whole = fs::read(root.join("outer-libs-2.0-1.noarch.rpm")).unwrap();
    let server = serve(root, move |request, count| {
        let is_libs = request.path.contains("outer-libs");
        let from =
            request.header("range").map(|range| range.trim_start_matches("bytes=").trim_end_matches('-').parse());
        match from {
            Some(from) if is_libs => Some(Reply::partial(&whole, from.unwrap())),
            None if is_libs && count == 3 => Some(Reply::ok(&whole).cut_after(50_000)),
            _ => None,
        }
    });
    let seed = try_prepare(&settings(&server.url("/"), "unverified = true"), cache.path(), false).unwrap();
    let libs = seed.packages.iter().find(|rpm| rpm.metadata.nevra.name == "outer-libs").unwrap();
    let get = || seed.ensure(&[libs], &|_| {}).unwrap();
    get();
    assert!(server.requests().last().unwrap().header("range").is_some(), "it went on where it stopped");
    fs::remove_file(&libs.path).unwrap();
    let incoming = seed.directory.join(".incoming");
    fs::write(incoming.join(&libs.sha256), "what another run left, damaged").unwrap();
    get();
    assert!(server.requests().last().unwrap().header("range").is_none(), "it began anew");
    assert_eq!(fs::read_dir(incoming).unwrap().count(), 0);
}

#[test]
fn packages_that_are_not_what_the_repodata_says_are_refused() {
    let Some(place) = repository(&[]) else { return };
    let root = place.path().join("repo");
    let server = serve(root.clone(), |_, _| None);
    let path = root.join("outer-2.0-1.noarch.rpm");
    let good = fs::read(&path).unwrap();
    let mut wrong = good.clone();
    *wrong.last_mut().unwrap() ^= 1;
    for (content, by_path, by_url) in [
        (Some(wrong), "its sha256 is", "its sha256 is"),
        (Some(good[..good.len() / 2].to_vec()), "the repodata says", "bytes there, not"),
        (None, "it is not there", "404"),
    ] {
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        for (url, more, reason, hint) in [
            (root.display().to_string(), "", by_path, "createrepo_c"),
            (server.url(""), "unverified = true", by_url, "lock.json"),
        ] {
            let cache = tempfile::tempdir().unwrap();
            let seed = try_prepare(&settings(&url, more), cache.path(), false).unwrap();
            let error = ensure_all(&seed).unwrap_err().to_string();
            let name = format!("{}/outer-2.0-1.noarch.rpm", url.trim_end_matches('/'));
            assert!(error.contains(&name) && error.contains(reason) && error.contains(hint), "{error}");
            assert!(!seed.packages[1].path.exists(), "nothing unverified gets the name");
        }
    }
}

#[test]
fn repodata_that_cannot_be_used_is_refused() {
    let Some(place) = repository(&[]) else { return };
    let root = place.path().join("repo");
    let server = serve(root.clone(), |_, _| None);
    let fails = |reasons: &[&str]| {
        for (url, more) in [(root.display().to_string(), ""), (server.url(""), "unverified = true")] {
            let cache = tempfile::tempdir().unwrap();
            let error = try_prepare(&settings(&url, more), cache.path(), false).unwrap_err().to_string();
            assert!(reasons.iter().all(|reason| error.contains(reason)) && error.contains("repodata"), "{error}");
            assert!(error.contains(&url), "{error}");
        }
    };
    let (repomd, primary) = (file_of(&root, "repomd.xml"), file_of(&root, "primary.xml"));
    let (repomd_text, primary_bytes) = (fs::read_to_string(&repomd).unwrap(), fs::read(&primary).unwrap());
    fs::write(&repomd, &repomd_text[..repomd_text.len() / 2]).unwrap();
    fails(&["repomd.xml", "within an element"]);
    fs::write(&repomd, "<html>moved</html>").unwrap();
    fails(&["repomd.xml", "no `repomd`"]);
    fs::write(&repomd, "moved").unwrap();
    fails(&["repomd.xml", "neither XML"]);
    fs::write(&repomd, repomd_text.replace("sha256", "sha")).unwrap();
    fails(&["primary.xml", "`sha`"]);
    fs::write(&repomd, repomd_text.replace("repodata/", "../repodata/")).unwrap();
    fails(&["leads out"]);
    fs::write(&repomd, &repomd_text).unwrap();
    let mut wrong = primary_bytes.clone();
    wrong[20] ^= 1;
    fs::write(&primary, wrong).unwrap();
    fails(&["primary.xml", "its sha256 is"]);
    fs::write(&primary, &primary_bytes[..100]).unwrap();
    fails(&["primary.xml", "100"]);
    fs::remove_file(&primary).unwrap();
    fails(&["primary.xml"]);
    // Compressed in a way that nobody here knows, with checksums that fit.
    let unknown = b"LZIP unknown compression";
    fs::write(&primary, unknown).unwrap();
    let text = repomd_text.replace(&sha256(&primary_bytes), &sha256(unknown));
    let text = text.replace(&format!("<size>{}<", primary_bytes.len()), &format!("<size>{}<", unknown.len()));
    fs::write(root.join("repodata").join(format!("{}-primary.xml.gz", sha256(unknown))), unknown).unwrap();
    fs::write(&repomd, text).unwrap();
    fails(&["primary.xml", "neither XML nor compressed in a known way"]);
    fs::remove_file(&repomd).unwrap();
    fails(&["repomd.xml"]);
    createrepo(&root, &["--checksum=sha"]);
    fails(&["primary.xml", "`sha`"]);
}

#[test]
fn what_is_not_there_is_named_with_what_to_do() {
    let cache = tempfile::tempdir().unwrap();
    let directory = cache.path().join("nothing").display().to_string();
    let error = try_prepare(&settings(&directory, ""), cache.path(), false).unwrap_err().to_string();
    let hints = ["it is not there", "createrepo_c", "`[seed.x]` of stages/00-seeds.toml"];
    assert!(hints.iter().all(|hint| error.contains(hint)), "{error}");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/os");
    let error = try_prepare(&settings(&url, ""), cache.path(), false).unwrap_err().to_string();
    assert!(error.contains(&url) && error.contains("efused") && error.contains("00-seeds.toml"), "{error}");
}

#[test]
fn a_changed_repository_is_not_mixed_with_what_was_resolved() {
    let Some(place) = repository(&[]) else { return };
    let (root, cache) = (place.path().join("repo"), tempfile::tempdir().unwrap());
    let server = serve(root.clone(), |_, _| None);
    let settings = settings(&server.url(""), "unverified = true");
    let seed = try_prepare(&settings, cache.path(), false).unwrap();
    createrepo(&root, &["--revision=2"]);
    assert_eq!(try_prepare(&settings, cache.path(), false).unwrap().digest, seed.digest, "it is kept to");
    fs::remove_dir_all(&seed.directory).unwrap();
    let error = try_prepare(&settings, cache.path(), false).unwrap_err().to_string();
    let lock = error.split("type `rm ").nth(1).and_then(|rest| rest.split('`').next());
    fs::remove_file(lock.unwrap_or_else(|| panic!("{error}"))).unwrap();
    assert_ne!(try_prepare(&settings, cache.path(), false).unwrap().digest, seed.digest);
}

#[test]
fn a_converted_seed_is_a_repository_with_the_same_packages() {
    let cache = tempfile::tempdir().unwrap();
    let made = Store::open("made", cache.path(), "settings").unwrap();
    let seed = made
        .publish("k", store::is_complete, |directory| {
            for (name, needs, file) in [("base", "rtld", "/usr/lib/base/deep"), ("top", "base", "/usr/bin/top")] {
                let mut builder = rpm::PackageBuilder::new(name, "1.5", "MIT", "noarch", "x");
                builder
                    .release("0.seed")
                    .requires(rpm::Dependency::any(needs))
                    .provides(rpm::Dependency::eq(format!("virtual({name})"), "7"));
                builder.with_file_contents("content", rpm::FileOptions::new(file)).unwrap();
                builder.build().unwrap().write_file(directory.join(format!("{name}-1.5-0.seed.noarch.rpm"))).unwrap();
            }
            ::repository::write_repodata(directory).unwrap();
            store::read_packages("made", directory)
        })
        .unwrap();
    let other_cache = tempfile::tempdir().unwrap();
    let read = try_prepare(&settings(&seed.directory.display().to_string(), ""), other_cache.path(), true).unwrap();
    ensure_all(&read).unwrap();
    let without_path = |rpm: &SeedRpm| {
        (same_order(&rpm.metadata), rpm.path.file_name().map(std::ffi::OsStr::to_owned), rpm.sha256.clone())
    };
    let packages = |seed: &Seed| seed.packages.iter().map(without_path).collect::<Vec<_>>();
    assert_eq!(packages(&read), packages(&seed));
    // A damaged file of a seed that is made as a whole goes away, so that the next run makes it again.
    fs::write(&seed.packages[0].path, "damaged").unwrap();
    let error = ensure_all(&seed).unwrap_err().to_string();
    assert!(error.contains("base-1.5") && error.contains("run the same command again"), "{error}");
    assert!(!store::is_complete(&made.find("k").unwrap()));
}
