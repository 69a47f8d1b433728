//! Layers as images: each is imported once and known by a tag made of its path.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::models::ContainerConfig;
use bollard::query_parameters::{CommitContainerOptionsBuilder, CreateImageOptionsBuilder, RemoveImageOptions};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use super::{leftovers, tree, within};
use crate::SandboxError;

/// The repository part of the tag. Podman takes a name without a host for one of a registry.
const REPOSITORY: &str = "localhost/package-builder/layer";

/// The image of a layer, imported if the engine does not have it.
pub(super) async fn ensure(docker: &Docker, layer: &Path) -> Result<String, SandboxError> {
    let layer = canonical(layer)?;
    if let Some(image) = find(docker, &layer).await? {
        return Ok(image);
    }
    let tag = tag_of(&layer);
    import(docker, &layer, &tag).await?;
    Ok(format!("{REPOSITORY}:{tag}"))
}

/// The image of a layer, if the engine has it.
pub(super) async fn find(docker: &Docker, layer: &Path) -> Result<Option<String>, SandboxError> {
    let image = format!("{REPOSITORY}:{}", tag_of(&canonical(layer)?));
    let known = within(format!("looking for the image {image}"), async {
        match docker.inspect_image(&image).await {
            Ok(_) => Ok(true),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    });
    Ok(known.await?.then_some(image))
}

/// Makes an image of what was written in a container, for a layer that is still to be made here.
pub(super) async fn commit(docker: &Docker, container: &str, layer: &Path) -> Result<(), SandboxError> {
    let (Some(parent), Some(name)) = (layer.parent(), layer.file_name()) else {
        return Err(SandboxError::failed(format!("making the layer {}", layer.display()), "it has no name"));
    };
    let tag = tag_of(&canonical(parent)?.join(name));
    let changes = format!("LABEL {}={}", leftovers::MARK.0, leftovers::MARK.1);
    let options = CommitContainerOptionsBuilder::default().container(container).repo(REPOSITORY).tag(&tag);
    let options = options.changes(&changes).pause(false).build();
    let action = format!("making the image {REPOSITORY}:{tag}");
    within(action, docker.commit_container(options, ContainerConfig::default())).await.map(drop)
}

/// Removes the image of a layer, if there is one.
pub(super) async fn remove(docker: &Docker, layer: &Path) -> Result<(), SandboxError> {
    let image = format!("{REPOSITORY}:{}", tag_of(&canonical(layer)?));
    let removal = async {
        match docker.remove_image(&image, None::<RemoveImageOptions>, None).await {
            Ok(_) | Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    };
    within(format!("removing the image {image}"), removal).await
}

/// A layer's path without links.
fn canonical(layer: &Path) -> Result<PathBuf, SandboxError> {
    layer.canonicalize().map_err(|error| SandboxError::failed(format!("reading the layer {}", layer.display()), error))
}

/// Sends the layer to the engine. The tag is the last thing the engine makes, so it never names a part.
async fn import(docker: &Docker, layer: &Path, tag: &str) -> Result<(), SandboxError> {
    let root = layer.to_owned();
    let body = tree::stream(move |builder| tree::append_tree(builder, &root));
    let label = format!("LABEL {}={}", leftovers::MARK.0, leftovers::MARK.1);
    // Podman does not look at the API's own parameter for the tag.
    let image = format!("{REPOSITORY}:{tag}");
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(&image).changes(vec![label]).build();
    docker
        .create_image(Some(options), Some(bollard::body_try_stream(body)), None)
        .try_for_each(async |_| Ok(()))
        .await
        .map_err(|error| SandboxError::failed(format!("importing the layer {}", layer.display()), error))
}

/// A tag from a path: 32 hexadecimal digits.
fn tag_of(layer: &Path) -> String {
    let digest = Sha256::digest(layer.as_os_str().as_encoded_bytes());
    digest.iter().take(16).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_valid_and_tells_paths_apart() {
        let tag = tag_of(Path::new("/layers/a"));
        assert!(tag.len() == 32 && tag.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(tag, tag_of(Path::new("/layers/b")));
    }
}
