//! An append-only file of numbered records, each with its checksum.
//!
//! It is only ever appended to, so a crash can only spoil its end: opening finds the complete records
//! and cuts off what follows the last of them. So it is safe to continue where a killed process
//! stopped. A record that a bad disk has damaged counts as missing and is made again; those after it
//! are found by their checksums. Keys are frame indices of 32 bits, or [`u64::MAX`].

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

const MAGIC: &[u8; 8] = b"smrec001";
/// Key (u64), length of the payload (u32), CRC-32 of key, length and payload (u32).
const HEADER_BYTES: usize = 16;
/// Bytes that are read at a time in the search for the record after a damaged one.
const SEARCH_BYTES: usize = 1 << 16;

/// Many threads may read while one appends.
pub struct Records {
    file: File,
    /// Locked while a record is written, which may take long; readers need only the index.
    appending: Mutex<()>,
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    payloads: BTreeMap<u64, Payload>,
    /// The length of the file.
    end: u64,
}

/// Where a record's payload is in the file.
#[derive(Clone, Copy)]
struct Payload {
    start: u64,
    length: u32,
}

impl Index {
    fn insert(&mut self, key: u64, payload: Payload) {
        self.payloads.insert(key, payload);
        self.end = payload.start + u64::from(payload.length);
    }
}

impl Records {
    /// Opens or creates the file and finds its complete records. The file is locked while it
    /// is open; another process gets [`io::ErrorKind::WouldBlock`].
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock().map_err(io::Error::from)?;
        let mut index = scan(&file)?;
        file.set_len(index.end)?;
        if index.end < MAGIC.len() as u64 {
            file.write_all_at(MAGIC, 0)?;
            index.end = MAGIC.len() as u64;
        }
        Ok(Self { file, appending: Mutex::default(), index: Mutex::new(index) })
    }

    /// Adds a record; a later one with the same key replaces an earlier one.
    pub fn append(&self, key: u64, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut record = Vec::with_capacity(HEADER_BYTES + payload.len());
        record.extend(key.to_le_bytes());
        record.extend(length.to_le_bytes());
        record.extend(checksum(key, payload).to_le_bytes());
        record.extend(payload);
        let _alone = self.appending.lock().unwrap_or_else(PoisonError::into_inner);
        let end = self.bytes();
        self.file.write_all_at(&record, end)?;
        self.index().insert(key, Payload { start: end + HEADER_BYTES as u64, length });
        Ok(())
    }

    /// `None` when there is no such record, or it no longer matches its checksum.
    pub fn read(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(Payload { start, length }) = self.index().payloads.get(&key).copied() else {
            return Ok(None);
        };
        let mut record = vec![0; HEADER_BYTES + length as usize];
        self.file.read_exact_at(&mut record, start - HEADER_BYTES as u64)?;
        let payload = record.split_off(HEADER_BYTES);
        if u32_at(&record, 12) == checksum(key, &payload) {
            return Ok(Some(payload));
        }
        self.index().payloads.remove(&key);
        Ok(None)
    }

    pub fn contains(&self, key: u64) -> bool {
        self.index().payloads.contains_key(&key)
    }

    pub fn keys(&self) -> Vec<u64> {
        self.index().payloads.keys().copied().collect()
    }

    pub fn bytes(&self) -> u64 {
        self.index().end
    }

    /// Waits until what was appended is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // A panic between two statements above can't leave it inconsistent.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the complete records. Damaged ones between them are skipped; an incomplete one at the end does
/// not count.
fn scan(file: &File) -> io::Result<Index> {
    let mut magic = [0; MAGIC.len()];
    if file.read_at(&mut magic, 0)? < magic.len() || &magic != MAGIC {
        return Ok(Index::default());
    }
    let length = file.metadata()?.len();
    let mut index = Index { end: MAGIC.len() as u64, ..Index::default() };
    while let Some((key, payload)) = next_record(file, index.end, length)? {
        index.insert(key, payload);
    }
    Ok(index)
}

/// The key and the payload of the first complete record that begins at `at` or after it, in a file of
/// `length` bytes.
fn next_record(file: &File, at: u64, length: u64) -> io::Result<Option<(u64, Payload)>> {
    let mut window = vec![0; SEARCH_BYTES];
    let mut from = at;
    while from + HEADER_BYTES as u64 <= length {
        let read = (SEARCH_BYTES as u64).min(length - from) as usize;
        // Usually there is a complete record right here, and reading its header is enough.
        let read = if from == at { HEADER_BYTES } else { read };
        file.read_exact_at(&mut window[..read], from)?;
        for (offset, header) in window[..read].windows(HEADER_BYTES).enumerate() {
            let start = from + (offset + HEADER_BYTES) as u64;
            let payload_length = u32_at(header, 8);
            let key = u64::from(u32_at(header, 0)) | u64::from(u32_at(header, 4)) << 32;
            let fits = start + u64::from(payload_length) <= length;
            if !fits || !(key <= u64::from(u32::MAX) || key == u64::MAX) {
                continue;
            }
            let mut payload = vec![0; payload_length as usize];
            file.read_exact_at(&mut payload, start)?;
            if u32_at(header, 12) == checksum(key, &payload) {
                return Ok(Some((key, Payload { start, length: payload_length })));
            }
        }
        from += (read - HEADER_BYTES + 1) as u64;
    }
    Ok(None)
}

fn checksum(key: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&key.to_le_bytes());
    hasher.update(&(payload.len() as u64).to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_there_again_after_opening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records");
        let records = Records::open(&path).unwrap();
        records.append(3, b"three").unwrap();
        records.append(1, b"").unwrap();
        records.append(3, b"again").unwrap();
        assert_eq!(Records::open(&path).err().unwrap().kind(), io::ErrorKind::WouldBlock);
        drop(records);
        let records = Records::open(&path).unwrap();
        assert_eq!(records.keys(), [1, 3]);
        assert_eq!(records.read(3).unwrap().unwrap(), b"again");
        assert_eq!(records.read(2).unwrap(), None);
    }

    #[test]
    fn a_cut_loses_what_follows_and_a_flipped_byte_its_own_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records");
        let records = Records::open(&path).unwrap();
        for key in 0..4u64 {
            records.append(key, &[key as u8 + 1; 20]).unwrap();
        }
        drop(records);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let survivors = |bytes: &[u8]| {
                std::fs::write(&path, bytes).unwrap();
                let records = Records::open(&path).unwrap();
                let keys = records.keys();
                for &key in &keys {
                    assert_eq!(records.read(key).unwrap().unwrap(), [key as u8 + 1; 20]);
                }
                records.append(9, b"goes on").unwrap();
                drop(records);
                let records = Records::open(&path).unwrap();
                assert_eq!(records.read(9).unwrap().unwrap(), b"goes on");
                assert_eq!(records.keys().len(), keys.len() + 1);
                keys
            };
            let hit = (at.saturating_sub(MAGIC.len()) / (HEADER_BYTES + 20)) as u64;
            assert!(survivors(&whole[..at]).into_iter().eq(0..hit), "cut at {at}");
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            let others: Vec<u64> =
                if at < MAGIC.len() { Vec::new() } else { (0..4).filter(|&key| key != hit).collect() };
            assert_eq!(survivors(&flipped), others, "flipped at {at}");
        }
    }
}
