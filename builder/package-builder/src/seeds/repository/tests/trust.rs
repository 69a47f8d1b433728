//! Which repodata is believed: signatures, pins, and the policy to ask for neither.

use super::*;

#[test]
fn a_url_must_be_verified_or_said_not_to_be() {
    let Some(place) = repository(&[]) else { return };
    let (root, cache) = (place.path().join("repo"), tempfile::tempdir().unwrap());
    let server = serve(root.clone(), |_, _| None);
    let prepare = |more: &str| try_prepare(&settings(&server.url(""), more), cache.path(), false);
    let error = prepare("").unwrap_err().to_string();
    let pin = format!("repomd-sha256 = \"{}\"", sha256(&fs::read(file_of(&root, "repomd.xml")).unwrap()));
    assert!(["gpg-key", &pin, "unverified = true"].iter().all(|way| error.contains(way)), "{error}");
    prepare(&pin).unwrap();
    let other = format!("repomd-sha256 = \"{}\"", sha256(b"another"));
    let error = prepare(&other).unwrap_err().to_string();
    assert!(error.contains(&pin), "{error}");
    // The server moves on: the pin does not, and what it names is in the cache.
    createrepo(&root, &["--revision=2"]);
    prepare(&pin).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(try_prepare(&settings(&server.url(""), &pin), elsewhere.path(), false).is_err());
}

#[test]
fn a_signature_is_checked_with_the_key_of_the_settings() {
    if !are_here(&["gpg", "gpgv"]) {
        return;
    }
    let Some(place) = repository(&[]) else { return };
    let root = place.path().join("repo");
    let server = serve(root.clone(), |_, _| None);
    let keys: Vec<PathBuf> = ["one", "two"]
        .map(|name| {
            let home = place.path().join(name);
            fs::create_dir(&home).unwrap();
            fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
            let gpg = || {
                let mut gpg = Command::new("gpg");
                gpg.arg("--homedir").arg(&home).args(["--batch", "--passphrase", "", "--pinentry-mode", "loopback"]);
                gpg
            };
            run(gpg().args(["--quick-generate-key", name, "ed25519", "sign", "never"]));
            let key = place.path().join(format!("{name}.asc"));
            run(gpg().args(["--armor", "--export", "--output"]).arg(&key));
            if name == "one" {
                run(gpg().args(["--armor", "--detach-sign"]).arg(file_of(&root, "repomd.xml")));
            }
            // The agent would outlive the test.
            drop(Command::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]).output());
            key
        })
        .into();
    for url in [server.url(""), root.display().to_string()] {
        let prepare = |key: &Path| {
            let cache = tempfile::tempdir().unwrap();
            try_prepare(&settings(&url, &format!("gpg-key = \"{}\"", key.display())), cache.path(), false)
                .map(|seed| (seed.packages.len(), fs::read_to_string(lock_of(cache.path())).unwrap()))
        };
        let (count, lock) = prepare(&keys[0]).unwrap();
        assert!(count == 3 && lock.contains("\"signed\""), "{lock}");
        let error = prepare(&keys[1]).unwrap_err().to_string();
        assert!(error.contains("signed by another key") && error.contains("gpg-key"), "{error}");
        assert!(prepare(Path::new("/nowhere/key.asc")).unwrap_err().to_string().contains("/nowhere/key.asc"));
    }
    let repomd = root.join("repodata/repomd.xml");
    let prepare = || {
        let cache = tempfile::tempdir().unwrap();
        let settings = settings(&server.url(""), &format!("gpg-key = \"{}\"", keys[0].display()));
        try_prepare(&settings, cache.path(), false).map(|_| ()).unwrap_err().to_string()
    };
    fs::write(&repomd, fs::read_to_string(&repomd).unwrap().replace("<revision>", "<revision>1")).unwrap();
    let error = prepare();
    assert!(error.contains("changed after it was signed"), "{error}");
    fs::remove_file(root.join("repodata/repomd.xml.asc")).unwrap();
    let error = prepare();
    assert!(error.contains("repomd.xml.asc") && error.contains("404"), "{error}");
}

fn lock_of(cache: &Path) -> PathBuf {
    let entries = fs::read_dir(cache.join("seeds")).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().find(|path| path.display().to_string().ends_with(".lock.json")).unwrap()
}
