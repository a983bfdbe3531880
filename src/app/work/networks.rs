//! The networks that there are, and those that the user brings.

use std::path::{Path, PathBuf};

use crate::work::error_words::words;
use base::files::write_atomically;
use segment::{Library, Manifest, NetworkFile, SegmentError};

#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// Of one that is installed, or the path of the user's own `.pt`.
    pub name: String,
    pub found: NetworkFile,
}

impl ModelInfo {
    pub fn manifest(&self) -> &Manifest {
        &self.found.manifest
    }

    /// Without the folder that it lies in.
    pub fn title(name: &str) -> &str {
        name.rsplit('/').next().unwrap_or(name).trim_end_matches(".pt")
    }
}

/// What is known of a `.pt` that the user brought.
pub enum ModelFound {
    Ready(ModelInfo),
    /// A TorchScript file is a program.
    Untrusted {
        pt: PathBuf,
        sha256: String,
    },
    /// It has no manifest beside it.
    Undescribed(PathBuf),
    Wrong(String),
}

/// What to do with a `.pt`.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelStep {
    Look,
    /// Open it from now on without asking.
    Trust {
        sha256: String,
    },
    /// Write its manifest.
    Describe(Box<Manifest>),
}

/// The networks that can be opened without asking: those that are installed, and those of the
/// user's own `.pt` files that are still there. The best comes first.
pub fn installed(library: &Library, own: Vec<PathBuf>) -> Vec<ModelInfo> {
    let best = library.best();
    let own = own.into_iter().map(|pt| pt.display().to_string());
    let mut models: Vec<ModelInfo> = library
        .names()
        .into_iter()
        .chain(own)
        .filter_map(|name| {
            let found = library.find(&name, false);
            let found = found.inspect_err(|error| tracing::info!("{name} is not offered: {error}")).ok()?;
            Some(ModelInfo { name, found })
        })
        .collect();
    models.sort_by_key(|model| best != Some(model.name.as_str()));
    models
}

/// # Errors
/// When the file can't be written.
pub fn take_step(library: &Library, pt: &Path, step: ModelStep) -> Result<(), String> {
    match step {
        ModelStep::Look => Ok(()),
        ModelStep::Trust { sha256 } => {
            let name = pt.file_stem().unwrap_or_default().to_string_lossy();
            let folder = pt.parent().unwrap_or(Path::new("."));
            let trusted = library.trust(folder, &sha256, &name);
            trusted.map_err(|error| words(&error))
        }
        ModelStep::Describe(manifest) => write_atomically(&pt.with_extension("json"), |out| {
            Ok(serde_json::to_writer_pretty(out, &manifest)?)
        })
        .map_err(|error| words(&error)),
    }
}

/// What this `.pt` is.
pub fn look_at(library: &Library, pt: &Path) -> ModelFound {
    if pt.is_file() && !pt.with_extension("json").exists() {
        return ModelFound::Undescribed(pt.to_owned());
    }
    match library.find(&pt.display().to_string(), false) {
        Ok(found) => ModelFound::Ready(ModelInfo { name: pt.display().to_string(), found }),
        Err(SegmentError::Untrusted { path, sha256 }) => ModelFound::Untrusted { pt: path, sha256 },
        Err(error) => ModelFound::Wrong(words(&error)),
    }
}
