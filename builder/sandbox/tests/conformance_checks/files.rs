//! What happens to files.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sandbox::{Bind, Limits, Sandbox, SessionSpec};

use super::place::{Running, root_script, script};
use super::{CheckResult, Place, holds, same};

pub(crate) async fn files_persist_and_the_layer_does_not_change(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let running = place.start(sandbox).await?;
    let change = "echo new > /etc/new; echo changed > /etc/original; rm /bin/wget; mkdir /tmp/t; echo t > /tmp/t/u;
        mv /var /moved && mv /moved /var";
    running.output(root_script(change)).await?;
    let seen = running.output(script("cat /etc/new /etc/original /tmp/t/u; ls -d /bin/wget /var/lib; true")).await?;
    let wanted = "new\nchanged\nt\nls: /bin/wget: No such file or directory\n/var/lib\n";
    same("seen by the next command", seen.as_str(), wanted)?;
    same("the layer", read(&place.layer().join("etc/original"))?.as_str(), "from the layer\n")?;
    holds("the layer got a new file", !place.layer().join("etc/new").exists())?;
    holds("the layer lost a file", place.layer().join("bin/wget").is_symlink())?;
    running.end().await?;
    let other = place.start(sandbox).await?;
    let seen = other.output(script("cat /etc/original /etc/second-name; ls /etc")).await?;
    let wanted = "from the layer\nfrom the layer\n";
    holds(&format!("another session sees {seen}"), seen.starts_with(wanted) && !seen.contains("new"))?;
    other.end().await
}

pub(crate) async fn volumes_are_like_any_directory(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let (scratch, target) = (place.directory(), place.directory());
    let volumes = ["/build", "/etc"].map(PathBuf::from).to_vec();
    let spec = SessionSpec { volumes, ..place.spec(scratch.path()) };
    let session = sandbox.start(spec).await.map_err(|error| format!("starting: {error}"))?;
    let running = Running { session, scratch };
    let seen = running.output(root_script("cat /etc/original; ls -A /build; stat -c '%u %g %a' /build")).await?;
    same("at the start", seen.as_str(), "from the layer\n0 0 755\n")?;
    let hosts = running.output(root_script("cat /etc/hosts")).await?;
    same("the layer's own hosts", hosts.as_str(), &*read(&place.layer().join("etc/hosts"))?)?;
    let give = "mkdir /build/d && chown 1000:1000 /build /build/d && echo new > /etc/new";
    running.output(root_script(give)).await?;
    let text = "cd /build && mv d out && echo kept > out/file && cat /etc/new";
    same("written", running.output(script(text)).await?.trim(), "new")?;
    let copied = running.session.copy_out(Path::new("/build/out"), target.path()).await;
    copied.map_err(|error| format!("copy_out: {error}"))?;
    same("copied out", read(&target.path().join("file"))?.as_str(), "kept\n")?;
    running.end().await
}

pub(crate) async fn copies_in_and_out(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let (source, target) = (place.directory(), place.directory());
    let (one, two) = (source.path().join("one.txt"), source.path().join("two"));
    fs::write(&one, "1").map_err(|error| error.to_string())?;
    fs::write(&two, "#!/bin/sh\necho two\n").map_err(|error| error.to_string())?;
    fs::set_permissions(&two, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    let running = place.start(sandbox).await?;
    running.output(script("mkdir -p /home/in /home/out/deep/er; echo old > /home/in/one.txt")).await?;
    let copied = running.session.copy_in(&[one, two], Path::new("/home/in")).await;
    copied.map_err(|error| format!("copy_in: {error}"))?;
    let seen = running.output(script("cd /home/in; cat one.txt; echo; ./two; stat -c '%u %g %a' one.txt two")).await?;
    same("copied in", seen.as_str(), "1\ntwo\n1000 1000 644\n1000 1000 755\n")?;
    let make = "cd /home/out; echo a > deep/er/a; ln deep/er/a b; ln -s deep/er/a c; ln -s /etc/passwd d;
        mkfifo pipe; mkdir empty; touch -d '2001-02-03 04:05:06' b; chmod 640 b; head -c 5000000 /dev/zero > big";
    running.output(script(make)).await?;
    let copied = running.session.copy_out(Path::new("/home/out"), target.path()).await;
    copied.map_err(|error| format!("copy_out: {error}"))?;
    let at = |name: &str| fs::symlink_metadata(target.path().join(name)).map_err(|error| format!("{name}: {error}"));
    same("content", read(&target.path().join("b"))?.as_str(), "a\n")?;
    same("one file", at("b")?.ino(), at("deep/er/a")?.ino())?;
    same("mode", at("b")?.mode() & 0o777, 0o640)?;
    same("time", at("b")?.mtime(), 981_173_106)?;
    same("size", at("big")?.len(), 5_000_000)?;
    let target_of = |name: &str| fs::read_link(target.path().join(name)).map_err(|error| error.to_string());
    same("link", target_of("c")?.as_path(), Path::new("deep/er/a"))?;
    same("link to outside", target_of("d")?.as_path(), Path::new("/etc/passwd"))?;
    holds("an empty directory is copied", at("empty")?.is_dir())?;
    holds("a pipe is left out", at("pipe").is_err())?;
    let missing = running.session.copy_out(Path::new("/home/nowhere"), target.path()).await;
    holds("copying what is not there is an error", missing.is_err())?;
    let missing = running.session.copy_in(&["/no/such/file".into()], Path::new("/home/in")).await;
    holds("copying in what is not there is an error", missing.is_err())?;
    running.end().await
}

pub(crate) async fn no_link_leads_out_of_the_session(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let (secret, target) = (place.directory(), place.directory());
    let key = secret.path().join("key");
    fs::write(&key, "secret").map_err(|error| error.to_string())?;
    let running = place.start(sandbox).await?;
    let secret_path = secret.path().display();
    let make = format!(
        "mkdir /home/out; ln -s {secret_path} /home/out/dir; ln -s {secret_path}/key /home/out/file;
        ln -s {secret_path} /home/direct; ln -s /../../../../../..{secret_path} /home/dots;
        ln -s /proc/1/root/{secret_path} /home/magic; ln -s {secret_path} /home/in"
    );
    running.output(script(&make)).await?;
    let copied = running.session.copy_out(Path::new("/home/out"), target.path()).await;
    copied.map_err(|error| format!("copy_out: {error}"))?;
    for name in ["dir", "file"] {
        let is_link = target.path().join(name).is_symlink();
        holds(&format!("{name} was followed"), is_link)?;
    }
    for name in ["direct", "dots", "magic"] {
        running.session.copy_out(&Path::new("/home").join(name), target.path()).await.ok();
        holds(&format!("{name} led out"), !target.path().join("key").exists())?;
    }
    let (in_name, planted) = (place.directory(), secret.path().join("planted"));
    let file = in_name.path().join("planted");
    fs::write(&file, "planted").map_err(|error| error.to_string())?;
    running.session.copy_in(&[file], Path::new("/home/in")).await.ok();
    holds("copy_in was led out", !planted.exists())?;
    running.end().await
}

pub(crate) async fn binds_are_read_only(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let shown = place.directory();
    fs::set_permissions(shown.path(), fs::Permissions::from_mode(0o777)).map_err(|error| error.to_string())?;
    fs::write(shown.path().join("file"), "shown").map_err(|error| error.to_string())?;
    fs::set_permissions(shown.path().join("file"), fs::Permissions::from_mode(0o666))
        .map_err(|error| error.to_string())?;
    let bind = Bind { host: shown.path().to_owned(), guest: "/mnt/shown".into() };
    let running = place.start_with(sandbox, Limits::default(), vec![bind]).await?;
    let write = "cat /mnt/shown/file; echo x > /mnt/shown/file || echo x > /mnt/shown/new || rm /mnt/shown/file";
    for spec in [script(write), root_script(write)] {
        let (status, output) = running.run(spec).await?;
        holds(&format!("it could write: {output}"), output.starts_with("shown") && !status.success())?;
    }
    same("the host's file", read(&shown.path().join("file"))?.as_str(), "shown")?;
    fs::write(shown.path().join("later"), "later").map_err(|error| error.to_string())?;
    same("what comes later", running.output(script("cat /mnt/shown/later")).await?.as_str(), "later")?;
    running.end().await
}

pub(crate) async fn owners_and_modes_are_kept(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    if rustix::process::geteuid().as_raw() != 0 {
        return Ok(());
    }
    let target = place.directory();
    let running = place.start(sandbox).await?;
    let make = "mkdir -m 2750 /made; echo x > /made/f; chown 12:34 /made/f; chmod 4711 /made/f; ln -s f /made/l;
        chown -h 5:6 /made/l; chown 7:8 /made";
    running.output(root_script(make)).await?;
    let copied = running.session.copy_out(Path::new("/made"), target.path()).await;
    copied.map_err(|error| format!("copy_out: {error}"))?;
    let found = |path: &Path| {
        let stat = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
        Ok::<_, String>((stat.uid(), stat.gid(), stat.mode() & 0o7777))
    };
    same("file", found(&target.path().join("f"))?, (12, 34, 0o4711))?;
    same("link", found(&target.path().join("l"))?, (5, 6, 0o777))?;
    let (uid, gid, _) = found(target.path())?;
    same("directory", (uid, gid), (7, 8))?;
    running.end().await
}

/// The text of a file of the host.
fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
