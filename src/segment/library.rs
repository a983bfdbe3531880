//! Networks on this machine: where they lie, and which may be opened without asking.
//!
//! A TorchScript file is a program. One that our installer made is opened as it is: its hash
//! is written into `trusted.json` of the folder it was put in, or of the user's own folder.
//! Any other is opened only when the user says so. Only lists in the program's own folders
//! count, so a folder that someone else made cannot vouch for itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base::files::{FileError, write_atomically};
use sha2::{Digest as _, Sha256};

use super::torchscript::TorchScript;
use super::{InputSize, LoadOptions, Manifest, SegmentError, Segmenter, catalogue};

const TRUST_LIST: &str = "trusted.json";

/// The folders that networks are looked for in.
#[derive(Clone, Debug)]
pub struct Library {
    /// In the order in which they are searched.
    folders: Vec<PathBuf>,
    /// Those whose list of trusted networks counts.
    own: Vec<PathBuf>,
    /// The last of `own`: the user's.
    user: PathBuf,
}

/// A network that can be opened.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkFile {
    /// The path of its `.pt` file.
    pub pt: PathBuf,
    /// Its manifest, with the hash of the file.
    pub manifest: Manifest,
    /// Whether our installer made it, so that its input sizes need no trial.
    pub is_ours: bool,
}

impl NetworkFile {
    /// With another long side of its input.
    ///
    /// # Errors
    /// Where its size is fixed.
    pub fn resized(mut self, long_side: u32) -> Result<Self, SegmentError> {
        if let InputSize::Fixed { width, height } = self.manifest.input {
            return Err(SegmentError::Model {
                name: self.manifest.name,
                cause: format!("its input is always {width}×{height}"),
                remedy: "leave the long side out".into(),
            });
        }
        self.manifest.input = self.manifest.input.with_long_side(long_side);
        Ok(self)
    }

    /// With another normalisation per channel. Its results are stored separately.
    pub fn normalised(mut self, mean: [f32; 3], std: [f32; 3]) -> Self {
        if (mean, std) != (self.manifest.mean, self.manifest.std) {
            let key = format!("{} {mean:?} {std:?}", self.manifest.sha256);
            self.manifest = Manifest { mean, std, sha256: sha256(key.as_bytes()), ..self.manifest };
        }
        self
    }

    /// Opens the network.
    ///
    /// # Errors
    /// When the file is no network that does what its manifest says, or the device can't be had.
    pub fn load(self, options: LoadOptions) -> Result<Box<dyn Segmenter>, SegmentError> {
        Ok(Box::new(TorchScript::load(&self.pt, self.manifest, options, !self.is_ours)?))
    }
}

impl Library {
    /// Searches `explicit`, then the folder in `STEADYMASK_MODELS`, then the one beside an
    /// installed binary, the checkout's, and the user's.
    pub fn new(explicit: Option<&Path>) -> Self {
        let asked = explicit.map(PathBuf::from).into_iter();
        let asked = asked
            .chain(std::env::var_os("STEADYMASK_MODELS").filter(|path| !path.is_empty()).map(PathBuf::from));
        let beside = std::env::current_exe()
            .ok()
            .and_then(|exe| Some(exe.parent()?.parent()?.join("share/steadymask/models")));
        let checkout =
            Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(|root| root.join("models"));
        let user = directories::ProjectDirs::from("", "", "steadymask")
            .map_or_else(|| PathBuf::from("models"), |dirs| dirs.data_dir().join("models"));
        let own: Vec<PathBuf> = beside
            .into_iter()
            .chain(checkout)
            .filter(|folder| folder.is_dir())
            .chain([user.clone()])
            .collect();
        Self { folders: asked.chain(own.clone()).collect(), own, user }
    }

    /// One folder and nothing else; its list of trusted networks counts.
    pub fn only(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self { folders: vec![folder.clone()], own: vec![folder.clone()], user: folder }
    }

    /// All folders, in the order in which they are searched.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Where a new network goes: the folder that was asked for, or the checkout's, or the user's.
    pub fn install_folder(&self) -> &Path {
        let beside_binary = |folder: &&PathBuf| !folder.ends_with("share/steadymask/models");
        self.folders.iter().find(beside_binary).unwrap_or(&self.user)
    }

    /// The path of the network of this name, if there is one.
    pub fn path_of(&self, name: &str) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(format!("{name}.pt"))).find(|pt| pt.is_file())
    }

    /// The names of all networks in the folders, each once.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .folders
            .iter()
            .filter_map(|folder| folder.read_dir().ok())
            .flatten()
            .filter_map(|file| {
                let path = file.ok()?.path();
                (path.extension()? == "pt").then(|| Some(path.file_stem()?.to_string_lossy().into_owned()))?
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The name of the best network of the catalogue that is installed.
    pub fn best(&self) -> Option<&'static str> {
        catalogue::entries().iter().map(|entry| entry.name.as_str()).find(|name| self.path_of(name).is_some())
    }

    /// The network of this name, as [`Self::find`] does, or the best that is installed.
    ///
    /// # Errors
    /// As [`Self::find`], and when no network is installed.
    pub fn find_or_best(&self, name: Option<&str>, trust: bool) -> Result<NetworkFile, SegmentError> {
        let none = || SegmentError::Model {
            name: "no network is installed".into(),
            cause: "masks come from a network or from --masks".into(),
            remedy: "run «steadymask models setup»".into(),
        };
        self.find(name.or_else(|| self.best()).ok_or_else(none)?, trust)
    }

    /// The network that a user names, by its name or by the path of its `.pt`. `trust` opens
    /// what our installer did not make.
    ///
    /// # Errors
    /// [`SegmentError::Untrusted`] where only trust is missing; [`SegmentError::Model`] with
    /// the way out for everything else.
    pub fn find(&self, name_or_path: &str, trust: bool) -> Result<NetworkFile, SegmentError> {
        let pt = self.locate(name_or_path)?;
        let mut manifest = Manifest::beside(&pt)?;
        let fail = |cause: String, remedy: &str| SegmentError::Model {
            name: pt.display().to_string(),
            cause,
            remedy: remedy.to_owned(),
        };
        tracing::debug!(path = %pt.display(), "hashing a network");
        let sha256 = sha256_of(&pt)
            .map_err(|error| fail(format!("it can't be read ({error})"), "check the file's permissions"))?;
        if !manifest.sha256.is_empty() && !manifest.sha256.eq_ignore_ascii_case(&sha256) {
            return Err(fail(
                "it is not the file that its manifest was written for: the sha256 differs".into(),
                "install it again with --force, or correct sha256 in the JSON file if you changed it yourself",
            ));
        }
        let is_ours = self.is_trusted(&sha256);
        if !is_ours && !trust {
            return Err(SegmentError::Untrusted { path: pt, sha256 });
        }
        manifest.sha256 = sha256;
        Ok(NetworkFile { pt, manifest, is_ours })
    }

    fn locate(&self, name_or_path: &str) -> Result<PathBuf, SegmentError> {
        let fail = |cause: String, remedy: String| SegmentError::Model {
            name: name_or_path.to_owned(),
            cause,
            remedy,
        };
        let path = Path::new(name_or_path);
        if name_or_path.contains('/') || path.extension().is_some_and(|extension| extension == "pt") {
            return if path.is_file() {
                Ok(path.to_owned())
            } else {
                Err(fail("there is no such file".into(), "check the path of the .pt file".into()))
            };
        }
        if let Some(pt) = self.path_of(name_or_path) {
            return Ok(pt);
        }
        if catalogue::entry(name_or_path).is_some() {
            let remedy = match self.best() {
                Some(best) => {
                    format!("run «steadymask models install {name_or_path}», or use --model {best}")
                }
                None => {
                    format!("run «steadymask models install {name_or_path}», or «steadymask models setup»")
                }
            };
            return Err(fail("this model is not installed".into(), remedy));
        }
        let mut known: Vec<String> = catalogue::entries().iter().map(|entry| entry.name.clone()).collect();
        known.extend(self.names());
        known.sort_unstable();
        known.dedup();
        Err(fail(
            "there is no model of this name".into(),
            format!("use one of {}, or give the path of a TorchScript .pt file", known.join(", ")),
        ))
    }

    fn is_trusted(&self, sha256: &str) -> bool {
        self.own.iter().any(|folder| read_trust(folder).contains_key(sha256))
    }

    /// Opens a network of this hash from now on without asking. Written to the list in
    /// `folder` where that is one of ours, and to the user's own otherwise.
    ///
    /// # Errors
    /// When the list can't be written.
    pub fn trust(&self, folder: &Path, sha256: &str, name: &str) -> Result<(), FileError> {
        let folder = if self.own.iter().any(|own| own == folder) { folder } else { &self.user };
        std::fs::create_dir_all(folder).map_err(FileError::on(folder))?;
        let mut list = read_trust(folder);
        list.insert(sha256.to_owned(), name.to_owned());
        write_atomically(&folder.join(TRUST_LIST), |file| Ok(serde_json::to_writer_pretty(file, &list)?))
    }
}

/// Hash to name; a list that is missing or unreadable trusts nothing.
fn read_trust(folder: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.join(TRUST_LIST)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// When it can't be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{"classes": ["background", "person"], "input": {"rule": "fixed", "width": 8, "height": 8},
        "mean": [0, 0, 0], "std": [1, 1, 1], "activation": "softmax", "upsampling": "half_pixel", "output_stride": 1}"#;

    #[test]
    fn a_hash_is_sha256_in_hexadecimal() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_foreign_network_opens_only_when_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::only(folder.path());
        std::fs::write(folder.path().join("mine.pt"), b"network").unwrap();
        let missing = library.find("mine", true).unwrap_err().to_string();
        assert!(missing.contains("mine.json") && missing.contains("\"classes\""), "{missing}");

        std::fs::write(folder.path().join("mine.json"), MANIFEST).unwrap();
        let Err(SegmentError::Untrusted { sha256: hash, .. }) = library.find("mine", false) else {
            panic!("an untrusted network was opened");
        };
        let found = library.find("mine", true).unwrap();
        assert!(!found.is_ours);
        assert_eq!((found.manifest.name.as_str(), found.manifest.sha256.as_str()), ("mine", hash.as_str()));

        library.trust(folder.path(), &hash, "mine").unwrap();
        assert!(library.find("mine", false).unwrap().is_ours);

        // Other bytes under the same name are another network.
        std::fs::write(folder.path().join("mine.pt"), b"something else").unwrap();
        assert!(matches!(library.find("mine", false), Err(SegmentError::Untrusted { .. })));
    }

    #[test]
    fn a_folder_of_someone_else_cannot_vouch_for_itself() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let pt = theirs.path().join("net.pt");
        std::fs::write(&pt, b"network").unwrap();
        std::fs::write(theirs.path().join("net.json"), MANIFEST).unwrap();
        let their_library = Library::only(theirs.path());
        their_library.trust(theirs.path(), &sha256(b"network"), "net").unwrap();
        let found = Library::only(ours.path()).find(pt.to_str().unwrap(), false);
        assert!(matches!(found, Err(SegmentError::Untrusted { .. })));
    }

    #[test]
    fn a_name_that_is_not_there_says_what_is() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::only(folder.path());
        let unknown = library.find("yolo", false).unwrap_err().to_string();
        assert!(unknown.contains("deeplabv3-mobilenetv2"), "{unknown}");
        let missing = library.find("selfie", false).unwrap_err().to_string();
        assert!(missing.contains("steadymask models install selfie"), "{missing}");
        let path = library.find("/no/such.pt", false).unwrap_err().to_string();
        assert!(path.contains("no such file"), "{path}");
    }

    #[test]
    fn a_changed_file_is_not_the_one_of_its_manifest() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("net.pt"), b"network").unwrap();
        let manifest = MANIFEST.replacen('{', &format!("{{\"sha256\": \"{}\",", sha256(b"other")), 1);
        std::fs::write(folder.path().join("net.json"), manifest).unwrap();
        let error = Library::only(folder.path()).find("net", true).unwrap_err().to_string();
        assert!(error.contains("sha256 differs"), "{error}");
    }
}
