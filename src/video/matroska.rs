//! Raw pictures with their times, as a stream that the `ffmpeg` program reads from a pipe.
//!
//! Uneven times need a container that can be written without seeking. This is the smallest
//! Matroska (RFC 9559) that will do: one track of `V_UNCOMPRESSED`, a clock of
//! microseconds, and a cluster for each picture.

use std::io::{self, Write};

use base::frame::FrameSize;

/// How the pixels of a picture lie in memory, rows from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelFormat {
    /// One byte.
    Grey,
    /// Three bytes.
    Rgb,
    /// Straight alpha.
    Rgba,
}

impl PixelFormat {
    /// Bytes of a pixel.
    pub const fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    /// FFmpeg's four letters for them.
    const fn four_letters(self) -> &'static [u8; 4] {
        match self {
            Self::Grey => b"Y800",
            Self::Rgb => b"RGB\x18",
            Self::Rgba => b"RGBA",
        }
    }
}

pub struct MatroskaWriter<W: Write> {
    out: W,
}

impl<W: Write> MatroskaWriter<W> {
    /// `frames_per_sec` is nominal: readers take it for the length of the last picture.
    pub fn begin(mut out: W, size: FrameSize, pixels: PixelFormat, frames_per_sec: f64) -> io::Result<Self> {
        let video = [
            number(0xB0, size.width() as u64),
            number(0xBA, size.height() as u64),
            element(0x2E_B524, pixels.four_letters()),
        ];
        let track = [
            number(0xD7, 1),
            number(0x73C5, 1),
            number(0x83, 1),
            number(0x9C, 0),
            element(0x86, b"V_UNCOMPRESSED"),
            number(0x23_E383, (1e9 / frames_per_sec).round().max(1.0) as u64),
            element(0xE0, &video.concat()),
        ];
        let element_header =
            [number(0x4286, 1), number(0x42F7, 1), number(0x42F2, 4), number(0x42F3, 8)].concat();
        let kind = [element(0x4282, b"matroska"), number(0x4287, 4), number(0x4285, 2)].concat();
        let about = [number(0x2A_D7B1, 1000), element(0x4D80, b"steadymask"), element(0x5741, b"steadymask")];
        out.write_all(&element(0x1A45_DFA3, &[element_header, kind].concat()))?;
        // A segment whose length is not known, as of every live stream.
        out.write_all(&[&0x1853_8067u32.to_be_bytes()[..], &[1], &[0xFF; 7]].concat())?;
        out.write_all(&element(0x1549_A966, &about.concat()))?;
        out.write_all(&element(0x1654_AE6B, &element(0xAE, &track.concat())))?;
        Ok(Self { out })
    }

    /// Adds a picture of `rows`, shown `micros` after the start; times grow.
    pub fn picture<'a>(
        &mut self,
        micros: u64,
        bytes: usize,
        rows: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        // Track 1, no time after the cluster's, a key frame.
        const BLOCK: [u8; 4] = [0x81, 0, 0, 0x80];
        let time = number(0xE7, micros);
        let block_bytes = BLOCK.len() + bytes;
        let start = [
            element_header(0x1F43_B675, time.len() + element_header(0xA3, block_bytes).len() + block_bytes),
            time,
            element_header(0xA3, block_bytes),
            BLOCK.to_vec(),
        ];
        self.out.write_all(&start.concat())?;
        for row in rows {
            self.out.write_all(row)?;
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// An element's id and its length, which always takes eight bytes.
fn element_header(id: u32, length: usize) -> Vec<u8> {
    let id = id.to_be_bytes();
    let name = id.iter().copied().skip_while(|&byte| byte == 0);
    name.chain((length as u64 | 1 << 56).to_be_bytes()).collect()
}

fn element(id: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = element_header(id, data.len());
    bytes.extend(data);
    bytes
}

fn number(id: u32, value: u64) -> Vec<u8> {
    element(id, &value.to_be_bytes())
}
