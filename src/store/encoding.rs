//! How the results of pass 1 are stored: compressed, and checked when they are read.

use half::{f16, slice::HalfFloatSliceExt};

use super::TrackValue;
use base::frame::Timestamp;
use flow::FlowPair;
use segment::Logits;
use video::Proxy;

/// The network's output for a frame, and when the frame is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentedFrame {
    /// When the frame is shown.
    pub timestamp: Timestamp,
    /// The network's output.
    pub logits: Logits,
}

/// Fast, and for logits and flow within a few per cent of the slower levels.
const ZSTD_LEVEL: i32 = 1;
/// The limit for a decompressed value: logits of 1,000 classes on a 512×512 grid.
const MAX_BYTES: usize = 1 << 29;

/// Timestamp, three dimensions, then the values: all high bytes, which repeat, then all low bytes.
impl TrackValue for SegmentedFrame {
    fn encode(&self) -> Vec<u8> {
        let Logits { classes, height, width, ref values } = self.logits;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + 2 * values.len());
        bytes.extend(self.timestamp.micros().to_le_bytes());
        bytes.extend([classes, height, width].iter().flat_map(|&side| (side as u32).to_le_bytes()));
        let bits: &[u16] = values.as_slice().reinterpret_cast();
        bytes.extend(bits.iter().map(|bits| (bits >> 8) as u8));
        bytes.extend(bits.iter().map(|&bits| bits as u8));
        compress(&bytes)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = decompress(bytes)?;
        let (header, planes) = bytes.split_at_checked(HEADER_BYTES)?;
        let timestamp = Timestamp::from_micros(i64::from_le_bytes(header[..8].try_into().ok()?));
        let side = |at: usize| Some(u32::from_le_bytes(header[at..at + 4].try_into().ok()?) as usize);
        let (classes, height, width) = (side(8)?, side(12)?, side(16)?);
        let count = classes.checked_mul(height)?.checked_mul(width)?;
        if planes.len() != count.checked_mul(2)? {
            return None;
        }
        let (high, low) = planes.split_at(count);
        let values = high.iter().zip(low).map(|(&high, &low)| f16::from_le_bytes([low, high])).collect();
        Some(Self { timestamp, logits: Logits { classes, height, width, values } })
    }
}

impl TrackValue for Timestamp {
    fn encode(&self) -> Vec<u8> {
        self.micros().to_le_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_micros(i64::from_le_bytes(bytes.try_into().ok()?)))
    }
}

const HEADER_BYTES: usize = 8 + 3 * 4;

impl TrackValue for Proxy {
    fn encode(&self) -> Vec<u8> {
        self.jpeg().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_jpeg(bytes.to_vec()))
    }
}

impl TrackValue for FlowPair {
    fn encode(&self) -> Vec<u8> {
        compress(&self.to_bytes())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::from_bytes(&decompress(bytes)?).ok()
    }
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    // Compressing into memory fails only when there is too little of it; empty bytes read as damaged.
    zstd::bulk::compress(bytes, ZSTD_LEVEL).unwrap_or_default()
}

fn decompress(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten()?;
    let length = usize::try_from(length).ok().filter(|&length| length <= MAX_BYTES)?;
    zstd::bulk::decompress(bytes, length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn logits_survive_the_round_trip_and_damage_is_seen(
            values in proptest::collection::vec(-30.0f32..30.0, 24), micros: i64, cut in 0usize..60,
        ) {
            let values = values.into_iter().map(f16::from_f32).collect();
            let logits = Logits { classes: 2, height: 3, width: 4, values };
            let segmented = SegmentedFrame { timestamp: Timestamp::from_micros(micros), logits };
            let bytes = segmented.encode();
            prop_assert_eq!(SegmentedFrame::decode(&bytes), Some(segmented));
            prop_assert_eq!(SegmentedFrame::decode(&bytes[..cut.min(bytes.len() - 1)]), None);
        }
    }
}
