//! A name for a video's content, under which results are kept.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{VideoError, images};

/// Up to this size, all of the content counts.
const WHOLE_BYTES: u64 = 64 << 20;
/// Of a longer file, this many blocks do, evenly spaced, the first and the last among them.
const BLOCKS: u64 = 64;
const BLOCK_BYTES: u64 = 256 << 10;
/// Of the images of a longer sequence, this many bytes of each end do.
const IMAGE_END_BYTES: u64 = 16 << 10;

/// SHA-256 in hexadecimal, the same wherever the video lies and whatever a file is called.
///
/// All of the content counts up to 64 MiB. Beyond that the size and 64 evenly spaced blocks
/// of 256 KiB count, and of a folder or a glob of images each one's name, size, and first and
/// last 16 KiB. So an edit that keeps the size and falls between the blocks goes unnoticed.
///
/// # Errors
/// When something can't be read.
pub fn fingerprint(path: &Path) -> Result<String, VideoError> {
    tracing::debug!(path = %path.display(), "fingerprinting a video");
    let mut hash = Sha256::new();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => add_images(&mut hash, &images::in_folder(path)?)?,
        Ok(_) => add_file(&mut hash, path, WHOLE_BYTES, BLOCKS, BLOCK_BYTES)?,
        Err(_) if images::is_glob(path) => add_images(&mut hash, &images::matching(path)?)?,
        Err(error) => return Err(VideoError::from_io(path, &error)),
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn add_images(hash: &mut Sha256, images: &[std::path::PathBuf]) -> Result<(), VideoError> {
    let mut total_bytes = 0;
    for path in images {
        total_bytes += std::fs::metadata(path).map_err(|error| VideoError::from_io(path, &error))?.len();
    }
    let whole_bytes = if total_bytes <= WHOLE_BYTES { u64::MAX } else { 2 * IMAGE_END_BYTES };
    hash.update((images.len() as u64).to_le_bytes());
    for path in images {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        add_file(hash, path, whole_bytes, 2, IMAGE_END_BYTES)?;
    }
    Ok(())
}

/// The size, then the whole content or `blocks` blocks of it.
fn add_file(
    hash: &mut Sha256,
    path: &Path,
    whole_bytes: u64,
    blocks: u64,
    block_bytes: u64,
) -> Result<(), VideoError> {
    let mut add = || -> std::io::Result<()> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        hash.update(size.to_le_bytes());
        if size <= whole_bytes {
            return add_bytes(hash, &mut file, u64::MAX);
        }
        for block in 0..blocks {
            let start = (u128::from(size - block_bytes) * u128::from(block) / u128::from(blocks - 1)) as u64;
            file.seek(SeekFrom::Start(start))?;
            add_bytes(hash, &mut file, block_bytes)?;
        }
        Ok(())
    };
    add().map_err(|error| VideoError::from_io(path, &error))
}

/// Up to `most` bytes from where the file stands.
fn add_bytes(hash: &mut Sha256, file: &mut File, most: u64) -> std::io::Result<()> {
    let mut limited = file.take(most);
    let mut buffer = vec![0; 64 << 10];
    loop {
        match limited.read(&mut buffer)? {
            0 => return Ok(()),
            length => hash.update(&buffer[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    #[test]
    fn content_counts_and_names_of_files_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b, c) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
        fs::write(&a, "abc").unwrap();
        fs::write(&b, "abc").unwrap();
        fs::write(&c, "abd").unwrap();
        assert_eq!(fingerprint(&a).unwrap(), fingerprint(&b).unwrap());
        assert_ne!(fingerprint(&a).unwrap(), fingerprint(&c).unwrap());
        assert_eq!(fingerprint(&a).unwrap().len(), 64);
    }

    #[test]
    fn of_a_long_file_both_ends_and_the_size_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        let file = File::create(&path).unwrap();
        let long = WHOLE_BYTES + 5;
        // Sparse: nothing is written but the last byte.
        file.set_len(long).unwrap();
        let first = fingerprint(&path).unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(long - 1)).unwrap();
        file.write_all(&[1]).unwrap();
        let second = fingerprint(&path).unwrap();
        file.set_len(long + 1).unwrap();
        let third = fingerprint(&path).unwrap();
        assert!(first != second && second != third && first != third);
    }

    #[test]
    fn of_a_folder_names_and_contents_of_its_images_count() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("1.png"), "one").unwrap();
        fs::write(folder.path().join("2.png"), "two").unwrap();
        let before = fingerprint(folder.path()).unwrap();
        fs::write(folder.path().join("notes.txt"), "of no account").unwrap();
        assert_eq!(fingerprint(folder.path()).unwrap(), before);
        assert_eq!(fingerprint(&folder.path().join("*.png")).unwrap(), before);
        fs::rename(folder.path().join("2.png"), folder.path().join("3.png")).unwrap();
        assert_ne!(fingerprint(folder.path()).unwrap(), before);
    }
}
