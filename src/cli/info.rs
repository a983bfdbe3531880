//! `steadymask info`: what a video really holds, found by decoding all of it.
//!
//! Nothing is written before the end and no file is made, so it may be interrupted anywhere.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use base::frame::Timestamp;
use video::{self, VideoInfo, VideoSource};

/// Intervals within this of each other are a constant rate: Matroska rounds to milliseconds.
const CONSTANT_WITHIN_SECS: f64 = 0.0015;

#[derive(Debug, clap::Args)]
pub struct InfoArgs {
    /// A video file, an image, a folder of images, or a quoted glob of images
    video: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: InfoArgs) -> anyhow::Result<()> {
    let mut source = video::open(&args.video)?;
    let report = Report::of(source.as_mut())?;
    if args.json {
        return super::print_json(&report);
    }
    println!("{report}");
    Ok(())
}

/// What the file says, and what decoding it shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub claims: VideoInfo,
    pub decoded_frames: usize,
    pub first_timestamp_secs: f64,
    pub last_timestamp_secs: f64,
    /// From the first frame's time to the end of the last, which is taken to last as long as
    /// the median one.
    pub duration_secs: f64,
    /// `None` of a single frame.
    pub intervals: Option<Intervals>,
    /// What seems to be lost, as a sentence.
    pub loss: Option<String>,
}

/// From one frame to the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Intervals {
    pub is_constant: bool,
    pub min_secs: f64,
    pub median_secs: f64,
    pub max_secs: f64,
}

impl Report {
    /// Reads `source` from where it is to its end.
    pub fn of(source: &mut dyn VideoSource) -> Result<Self, video::VideoError> {
        let mut timestamps = Vec::new();
        while let Some(frame) = source.next_frame()? {
            timestamps.push(frame.timestamp());
        }
        let intervals = Intervals::between(&timestamps);
        let secs = |timestamp: Option<&Timestamp>| timestamp.map_or(0.0, |timestamp| timestamp.secs());
        let (first, last) = (secs(timestamps.first()), secs(timestamps.last()));
        let claims = source.info().clone();
        let last_interval = intervals.map_or(1.0 / claims.frames_per_sec, |intervals| intervals.median_secs);
        Ok(Self {
            claims,
            decoded_frames: timestamps.len(),
            first_timestamp_secs: first,
            last_timestamp_secs: last,
            duration_secs: last - first + last_interval,
            intervals,
            loss: source.loss(),
        })
    }
}

impl Intervals {
    fn between(timestamps: &[Timestamp]) -> Option<Self> {
        let mut micros: Vec<i64> =
            timestamps.windows(2).map(|pair| pair[1].micros() - pair[0].micros()).collect();
        micros.sort_unstable();
        let secs = |micros: i64| Timestamp::from_micros(micros).secs();
        let (min_secs, max_secs) = (secs(*micros.first()?), secs(*micros.last()?));
        let median_secs = secs(micros[micros.len() / 2]);
        let is_constant = max_secs - min_secs <= CONSTANT_WITHIN_SECS;
        Some(Self { is_constant, min_secs, median_secs, max_secs })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims = &self.claims;
        let claimed = claims.claimed_frames.map_or("no number".to_owned(), |frames| frames.to_string());
        writeln!(f, "{}", claims.path.display())?;
        writeln!(f, "  frames     {} decoded (the file claims {claimed})", self.decoded_frames)?;
        writeln!(
            f,
            "  time       {:.3} s; first frame at {:.3} s, last at {:.3} s",
            self.duration_secs, self.first_timestamp_secs, self.last_timestamp_secs
        )?;
        match self.intervals {
            None => writeln!(f, "  rate       a single frame")?,
            Some(Intervals { is_constant: true, .. }) => {
                let rate =
                    (self.decoded_frames - 1) as f64 / (self.last_timestamp_secs - self.first_timestamp_secs);
                writeln!(f, "  rate       constant, {rate:.3} frames/s")?;
            }
            Some(Intervals { min_secs, median_secs, max_secs, .. }) => writeln!(
                f,
                "  rate       variable, {:.1} / {:.1} / {:.1} ms from frame to frame (least / median / most)",
                min_secs * 1e3,
                median_secs * 1e3,
                max_secs * 1e3
            )?,
        }
        match claims.rotation_degrees {
            0 => writeln!(f, "  size       {}", claims.size)?,
            degrees => writeln!(f, "  size       {} after rotation by {degrees}°", claims.size)?,
        }
        let pixels = claims.pixel_format.as_deref().map_or(String::new(), |format| format!(", {format}"));
        writeln!(f, "  codec      {}{pixels} in {}", claims.codec, claims.container)?;
        write!(f, "  lost       {}", self.loss.as_deref().unwrap_or("nothing seen"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_of_matroska_are_a_constant_rate() {
        let at = |millis: &[i64]| {
            let timestamps: Vec<_> = millis.iter().map(|&m| Timestamp::from_micros(m * 1000)).collect();
            Intervals::between(&timestamps)
        };
        assert!(at(&[0, 33, 67, 100, 133]).unwrap().is_constant);
        let variable = at(&[0, 40, 80, 200]).unwrap();
        assert!(!variable.is_constant);
        assert_eq!((variable.min_secs, variable.median_secs, variable.max_secs), (0.04, 0.04, 0.12));
        assert_eq!(at(&[7]), None);
    }
}
