//! Finding videos and networks.

use std::{path::PathBuf, thread};

use super::{super::state::Clip, Event, Mail, ModelInfo, words};
use crate::{segment::library::Library, video};

/// Asks the system's dialog for a video (or, for an export, a folder). Where a system has no
/// dialog nothing comes back.
pub fn browse(mail: Mail, folder: bool, title: &'static str) {
    thread::spawn(move || {
        let dialog = rfd::FileDialog::new().set_title(title);
        let event = if folder {
            dialog.pick_folder().map(Event::FolderChosen)
        } else {
            dialog.pick_file().map(Event::Chosen)
        };
        if let Some(event) = event {
            mail.send(event);
        }
    });
}

/// Lists the networks that can be opened without asking.
pub fn list_models(mail: Mail) {
    thread::spawn(move || {
        let library = Library::new(None);
        let best = library.best();
        let mut models: Vec<ModelInfo> = library
            .names()
            .into_iter()
            .filter_map(|name| {
                let found = library.find(&name, false);
                let found =
                    found.inspect_err(|error| tracing::info!("{name} is not offered: {error}")).ok()?;
                Some(ModelInfo { name, manifest: found.manifest })
            })
            .collect();
        models.sort_by_key(|model| best != Some(model.name.as_str()));
        mail.send(Event::Models(models));
    });
}

/// Looks what is in a file.
pub fn look_into(mail: Mail, path: PathBuf) {
    thread::spawn(move || {
        let result = video::open(&path)
            .map(|source| {
                let info = source.info().clone();
                let frames = source.counted_frames().or(info.claimed_frames).unwrap_or(1).max(1);
                (Clip { path: path.clone(), info, frames }, source)
            })
            .map_err(|error| words(&error));
        mail.send(Event::Opened { path, result });
    });
}
