//! Sessions become layers that others are stacked on.

use std::path::{Path, PathBuf};

use sandbox::{Sandbox, SessionSpec};

use super::place::{Running, root_script, script};
use super::{CheckResult, Place, holds, same};

/// Starts a session over layers.
async fn start_over(sandbox: &dyn Sandbox, place: &Place, above: &[PathBuf]) -> Result<Running, String> {
    let scratch = place.directory();
    let volumes = vec![PathBuf::from("/tmp"), PathBuf::from("/scrap")];
    let spec = SessionSpec { above: above.to_owned(), volumes, ..place.spec(scratch.path()) };
    let session = sandbox.start(spec).await.map_err(|error| format!("starting: {error}"))?;
    Ok(Running { session, scratch })
}

/// Runs a script as root over layers, and makes a layer of what it wrote.
async fn make(sandbox: &dyn Sandbox, place: &Place, above: &[PathBuf], text: &str, layer: &Path) -> CheckResult {
    let running = start_over(sandbox, place, above).await?;
    running.output(root_script(text)).await?;
    let Running { session, scratch } = running;
    session.into_layer(layer).await.map_err(|error| format!("making a layer: {error}"))?;
    scratch.close().map_err(|error| format!("the scratch directory cannot be removed: {error}"))
}

/// Files, links, owners, modes and what is gone are there again; volumes are not.
pub(crate) async fn what_a_session_wrote_is_a_layer(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let layers = place.directory();
    let one = layers.path().join("one");
    let text = "set -e; echo new > /etc/new; sed -i 's/0:0::/0:0:changed:/' /etc/passwd; rm /etc/second-name /etc/original; \
                mkdir -p /opt/deep; chmod 2750 /opt/deep; chown 1000:1000 /opt/deep; ln -s new /etc/link; \
                rm -r /var/lib; mkdir /var/lib; touch /var/lib/again; echo left > /tmp/left; echo left > /scrap/left";
    make(sandbox, place, &[], text, &one).await?;
    same("whether it is there", sandbox.has_layer(&one).await.map_err(|error| error.to_string())?, true)?;
    let running = start_over(sandbox, place, std::slice::from_ref(&one)).await?;
    let text = "test ! -e /etc/second-name && test ! -e /etc/original && cat /etc/new /etc/link; grep root /etc/passwd; ls /var/lib; stat -c '%a %u %g' /opt/deep; ls -A /tmp /scrap";
    let found = running.output(script(text)).await?;
    same(
        "what is there",
        &*found,
        "new\nnew\nroot:x:0:0:changed:/:/bin/sh\nagain\n2750 1000 1000\n/scrap:\n\n/tmp:\n",
    )?;
    running.end().await?;
    sandbox.remove_layer(&one).await.map_err(|error| error.to_string())
}

/// What is written over layers is in none of them, and what a higher one says holds.
pub(crate) async fn layers_are_stacked_and_never_written_to(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let layers = place.directory();
    let [one, two] = ["one", "two"].map(|name| layers.path().join(name));
    make(sandbox, place, &[], "echo one > /etc/one; echo one > /etc/both", &one).await?;
    make(sandbox, place, std::slice::from_ref(&one), "echo two > /etc/two; echo two > /etc/both", &two).await?;
    let both = [one, two];
    let running = start_over(sandbox, place, &both).await?;
    let read = "cat /etc/one /etc/two /etc/both";
    same("two layers", &*running.output(script(read)).await?, "one\ntwo\ntwo\n")?;
    running.output(root_script("rm /etc/one; echo mine > /etc/both; echo mine > /etc/two")).await?;
    let other = start_over(sandbox, place, &both).await?;
    same("another session", &*other.output(script(read)).await?, "one\ntwo\ntwo\n")?;
    other.end().await?;
    running.end().await?;
    let lower = start_over(sandbox, place, &both[..1]).await?;
    same("the lower one alone", &*lower.output(script("cat /etc/both; test ! -e /etc/two")).await?, "one\n")?;
    lower.end().await?;
    for layer in both.iter().rev() {
        sandbox.remove_layer(layer).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A layer never takes the place of another, and is gone when it is removed.
pub(crate) async fn a_layer_is_made_once_and_can_be_removed(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let layers = place.directory();
    let one = layers.path().join("one");
    make(sandbox, place, &[], "echo first > /etc/one", &one).await?;
    let second = make(sandbox, place, &[], "echo second > /etc/one", &one).await;
    holds("a second one is refused", second.is_err_and(|error| error.contains("it is there already")))?;
    let running = start_over(sandbox, place, std::slice::from_ref(&one)).await?;
    same("the first one", &*running.output(script("cat /etc/one")).await?, "first\n")?;
    running.end().await?;
    let there = async || sandbox.has_layer(&one).await.map_err(|error| error.to_string());
    same("before", there().await?, true)?;
    for _ in 0..2 {
        sandbox.remove_layer(&one).await.map_err(|error| error.to_string())?;
        same("after", there().await?, false)?;
    }
    holds("it cannot be used", start_over(sandbox, place, std::slice::from_ref(&one)).await.is_err())
}
