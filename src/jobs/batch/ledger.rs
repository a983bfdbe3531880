//! What a batch has done: a line for each input, on the disk before it counts as done.
//!
//! `results.jsonl` is the truth; `results.csv` is made of it. After whatever stopped the
//! program, a last line that is torn is cut off, and the rest stands.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::mpsc::Receiver,
};

use serde::{Deserialize, Serialize};

use super::BatchError;
use crate::Detection;
use base::files::write_atomically;
use metrics::{ClassSummary, Metric};

/// What came of an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path, as [`super::path_text`] writes it.
    pub input: String,
    /// Differs when the file or what is done with it does.
    pub key: String,
    /// How it ended.
    pub status: Status,
    /// Why it failed, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether what failed may succeed another time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_pass: bool,
    /// How many were worked on; 1 of an image.
    pub frames: usize,
    /// Of the picture, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// The box that was found in an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection: Option<Detection>,
    /// Of a clip, for each class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Summary>,
    /// Relative to the folder of results.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// How an input ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is done, and no box was asked for.
    Done,
    /// A box was found.
    Detected,
    /// No box was found.
    Undetected,
    /// The error says why.
    Failed,
}

/// Means over a clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// As it was asked for.
    pub class: String,
    /// Before smoothing.
    pub instability_raw: Option<f64>,
    /// After smoothing.
    pub instability_smoothed: Option<f64>,
    /// Intersection over union of raw and smoothed masks.
    pub agreement: Option<f64>,
}

impl From<&ClassSummary> for Summary {
    fn from(summary: &ClassSummary) -> Self {
        let instability = &summary.metrics[Metric::Instability];
        Self {
            class: summary.class.clone(),
            instability_raw: instability.raw.as_ref().map(|side| side.mean),
            instability_smoothed: instability.smoothed.as_ref().map(|side| side.mean),
            agreement: summary.agreement.as_ref().map(|side| side.mean),
        }
    }
}

/// What is known of an input that has an entry.
struct LastEntry {
    key: String,
    failed: bool,
    may_pass: bool,
    /// The number of its last line.
    line: usize,
}

/// The results of a batch, ours alone while it is open.
pub struct Ledger {
    folder: PathBuf,
    jsonl: File,
    known: HashMap<String, LastEntry>,
    /// Held, not read.
    _lock: File,
}

const JSONL: &str = "results.jsonl";
const CSV: &str = "results.csv";
/// Results of single lines of a manifest, by whichever machine did them.
pub const PARTS: &str = "parts";

impl Ledger {
    /// Opens the results in `folder`, which is made where there is none, and takes in what
    /// other machines have done.
    ///
    /// # Errors
    /// [`BatchError::Busy`] while another process has it open; else when it can't be written.
    pub fn open(folder: &Path) -> Result<Self, BatchError> {
        fs::create_dir_all(folder).map_err(BatchError::write(folder))?;
        let lock_path = folder.join(".lock");
        let lock = File::create(&lock_path).map_err(BatchError::write(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(BatchError::Busy(folder.to_owned())),
            Err(fs::TryLockError::Error(error)) => return Err(BatchError::write(&lock_path)(error)),
        }
        let path = folder.join(JSONL);
        let open = || File::options().read(true).append(true).create(true).open(&path);
        let jsonl = open().map_err(BatchError::write(&path))?;
        let mut ledger = Self { folder: folder.to_owned(), jsonl, known: HashMap::new(), _lock: lock };
        ledger.read()?;
        ledger.take_parts()?;
        ledger.write_csv()?;
        Ok(ledger)
    }

    /// Whether this input needs nothing more. What failed and may pass is tried again, and all
    /// that failed if `retry_failed`.
    pub fn is_done(&self, input: &str, key: &str, retry_failed: bool) -> bool {
        let known = self.known.get(input).filter(|known| known.key == key);
        known.is_some_and(|known| !known.failed || !(known.may_pass || retry_failed))
    }

    /// Whether the last entry of this input is a failure.
    pub fn has_failed(&self, input: &str) -> bool {
        self.known.get(input).is_some_and(|known| known.failed)
    }

    /// Learns what is there, and cuts a torn last line off.
    fn read(&mut self) -> Result<(), BatchError> {
        let mut known = HashMap::new();
        let mut read = || {
            let mut reader = BufReader::new(self.jsonl.try_clone()?);
            reader.seek(SeekFrom::Start(0))?;
            let (mut whole_bytes, mut text) = (0u64, Vec::new());
            for line in 0.. {
                text.clear();
                let read = reader.read_until(b'\n', &mut text)?;
                if read == 0 || text.last() != Some(&b'\n') {
                    break;
                }
                whole_bytes += read as u64;
                if let Ok(Entry { input, key, status, may_pass, .. }) = serde_json::from_slice(&text) {
                    known.insert(input, LastEntry { key, failed: status == Status::Failed, may_pass, line });
                }
            }
            self.jsonl.set_len(whole_bytes)
        };
        read().map_err(BatchError::write(&self.folder.join(JSONL)))?;
        self.known = known;
        Ok(())
    }

    fn take_parts(&mut self) -> Result<(), BatchError> {
        let parts = self.folder.join(PARTS);
        let Ok(entries) = fs::read_dir(&parts) else { return Ok(()) };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        let mut news = Vec::new();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        {
            let Some(entry) = read_part(path) else { continue };
            let is_news =
                self.known.get(&entry.input).is_none_or(|known| known.key != entry.key || known.failed);
            if is_news {
                news.push(entry);
            }
        }
        self.append(&news)?;
        self.read()
    }

    /// Adds the entries; they are on the disk when this returns.
    fn append(&mut self, entries: &[Entry]) -> Result<(), BatchError> {
        let path = self.folder.join(JSONL);
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, entry)
                .map_err(|error| BatchError::write(&path)(error.into()))?;
            text.push(b'\n');
        }
        let mut write = || {
            self.jsonl.write_all(&text)?;
            self.jsonl.sync_data()
        };
        write().map_err(BatchError::write(&path))
    }

    /// Takes entries until their senders are gone, and calls `done` with each when it is on
    /// the disk. Then the CSV is made anew, with the last word on every input.
    ///
    /// # Errors
    /// When the results can't be written.
    pub fn follow(mut self, entries: Receiver<Entry>, done: impl Fn(&Entry)) -> Result<(), BatchError> {
        let path = self.folder.join(CSV);
        let open = || File::options().append(true).open(&path);
        let mut csv = csv_writer(open().map_err(BatchError::write(&path))?);
        while let Ok(first) = entries.recv() {
            let group: Vec<Entry> =
                std::iter::once(first).chain(entries.try_iter().take(MOST_AT_ONCE)).collect();
            self.append(&group)?;
            let mut rows = group.iter().flat_map(rows);
            let mut write = || {
                rows.try_for_each(|row| csv.write_record(row))?;
                csv.flush()?;
                csv.get_ref().sync_data()
            };
            write().map_err(BatchError::write(&path))?;
            group.iter().for_each(&done);
        }
        self.read()?;
        self.write_csv()
    }

    fn write_csv(&mut self) -> Result<(), BatchError> {
        let mut reader = self.jsonl.try_clone().map_err(BatchError::write(&self.folder))?;
        let known = &self.known;
        let write = |out: &mut dyn io::Write| {
            reader.seek(SeekFrom::Start(0))?;
            let mut csv = csv_writer(out);
            csv.write_record(HEADER)?;
            for (number, line) in BufReader::new(reader).split(b'\n').enumerate() {
                let Ok(entry) = serde_json::from_slice::<Entry>(&line?) else { continue };
                if known.get(&entry.input).is_some_and(|known| known.line == number) {
                    rows(&entry).into_iter().try_for_each(|row| csv.write_record(row))?;
                }
            }
            csv.flush()
        };
        write_atomically(&self.folder.join(CSV), write)
            .map_err(|error| BatchError::write(&self.folder.join(CSV))(io::Error::other(error.to_string())))
    }
}

/// More entries are never held back from the disk.
const MOST_AT_ONCE: usize = 256;

/// What one line of a manifest has come to; `None` where it was not done, or not to its end.
pub fn read_part(path: &Path) -> Option<Entry> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Where the result of line `index` of a manifest is kept.
pub fn part_path(folder: &Path, index: usize) -> PathBuf {
    folder.join(PARTS).join(format!("{index:06}.json"))
}

fn csv_writer<W: io::Write>(out: W) -> csv::Writer<W> {
    csv::WriterBuilder::new().has_headers(false).from_writer(out)
}

const HEADER: [&str; 16] = [
    "input",
    "status",
    "frames",
    "picture_width",
    "picture_height",
    "class",
    "top_left_x",
    "top_left_y",
    "width",
    "height",
    "confidence",
    "class_id",
    "instability_raw",
    "instability_smoothed",
    "agreement",
    "error",
];

/// A row for each class of a clip, and one for everything else.
fn rows(entry: &Entry) -> Vec<[String; HEADER.len()]> {
    fn text<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(String::new, |value| value.to_string())
    }
    let status = serde_json::to_value(entry.status).ok();
    let status = status.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let found = entry.detection.as_ref();
    let row = |class: Option<&Summary>| {
        [
            entry.input.clone(),
            status.clone(),
            entry.frames.to_string(),
            text(entry.size.map(|[width, _]| width)),
            text(entry.size.map(|[_, height]| height)),
            text(class.map(|class| &class.class)),
            text(found.map(|found| found.top_left_x)),
            text(found.map(|found| found.top_left_y)),
            text(found.map(|found| found.width)),
            text(found.map(|found| found.height)),
            text(found.map(|found| found.confidence)),
            text(found.map(|found| found.class_id)),
            text(class.and_then(|class| class.instability_raw)),
            text(class.and_then(|class| class.instability_smoothed)),
            text(class.and_then(|class| class.agreement)),
            entry.error.clone().unwrap_or_default(),
        ]
    };
    match entry.classes.as_slice() {
        [] => vec![row(None)],
        classes => classes.iter().map(|class| row(Some(class))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(input: &str, status: Status) -> Entry {
        let error = (status == Status::Failed).then(|| "a, \"b\"; c".to_owned());
        let (key, may_pass) = ("k".into(), status == Status::Failed);
        let (size, detection, classes, files) = (Some([4, 3]), None, vec![], vec![]);
        Entry {
            input: input.into(),
            key,
            status,
            error,
            may_pass,
            frames: 1,
            size,
            detection,
            classes,
            files,
        }
    }

    fn write(folder: &Path, entries: &[Entry]) {
        let (sender, receiver) = std::sync::mpsc::channel();
        entries.iter().for_each(|entry| sender.send(entry.clone()).unwrap());
        drop(sender);
        Ledger::open(folder).unwrap().follow(receiver, |_| {}).unwrap();
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_the_rest_stands() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[entry("a", Status::Done), entry("b", Status::Failed)]);
        let path = folder.path().join(JSONL);
        let whole = fs::read(&path).unwrap();
        for cut in 1..40 {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let ledger = Ledger::open(folder.path()).unwrap();
            assert!(ledger.is_done("a", "k", false) && !ledger.is_done("b", "k", false));
            assert!(!ledger.is_done("a", "other", false), "a changed file is done again");
            drop(ledger);
            assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        }
        write(folder.path(), &[entry("b", Status::Detected)]);
        let csv = fs::read_to_string(folder.path().join(CSV)).unwrap();
        assert_eq!(csv.lines().count(), 3, "{csv}");
    }

    #[test]
    fn the_csv_has_the_last_word_on_every_input() {
        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            &[entry("a", Status::Failed), entry("b,\"", Status::Done), entry("a", Status::Done)],
        );
        let mut csv = csv::Reader::from_path(folder.path().join(CSV)).unwrap();
        let rows: Vec<(String, String)> =
            csv.records().map(|row| row.unwrap()).map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
        assert_eq!(rows, [("b,\"".into(), "done".into()), ("a".into(), "done".into())]);
    }

    #[test]
    fn only_one_batch_writes_to_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Ledger::open(folder.path()).unwrap();
        assert!(matches!(Ledger::open(folder.path()), Err(BatchError::Busy(_))));
    }
}
