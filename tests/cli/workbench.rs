//! A folder for clips and results, and the program run in it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{needs, sample};

/// Of a run that has ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

pub struct Workbench(tempfile::TempDir);

impl Workbench {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a clip, `clip.mp4`, of 12 frames, and masks for it, `mattes`, of the class disc; where
    /// there is ffmpeg to make it.
    pub fn with_clip_and_mattes() -> Option<Self> {
        needs::ffmpeg().then(|| {
            let bench = Self::new();
            bench.clip("clip.mp4", "96x64", 12, "-c:v libx264 -pix_fmt yuv420p");
            bench.mattes("mattes", (96, 64), 12);
            bench
        })
    }

    /// With a clip of people; where there is ffmpeg to make it, and this network to see them.
    pub fn with_people(network: &str) -> Option<(Self, PathBuf)> {
        (needs::ffmpeg() && needs::network(network)).then(|| {
            let bench = Self::new();
            let clip = sample::people(bench.0.path());
            (bench, clip)
        })
    }

    /// A network, `two.pt`, that finds the class person where a picture is dark, and background
    /// elsewhere; at the long side of 161.
    pub fn two_classes(&self) {
        let pt = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/segment/dict_output.pt");
        fs::copy(pt, self.path("two.pt")).unwrap();
        let manifest = r#"{"classes": ["background", "person"], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
            "input": {"rule": "long_side", "long_side": 161, "multiple": 16, "offset": 1},
            "activation": "softmax", "upsampling": "align_corners", "output_stride": 1}"#;
        fs::write(self.path("two.json"), manifest).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadymask"));
        command.current_dir(self.0.path()).args(arguments).stdin(Stdio::null()).env_remove("RUST_LOG");
        command
    }

    pub fn outcome(&self, arguments: &[&str]) -> Outcome {
        outcome(self.command(arguments))
    }

    /// The same with data and results of its own: presets, pipelines, the store.
    pub fn command_at_home(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.env("XDG_DATA_HOME", self.path("data")).env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    pub fn outcome_at_home(&self, arguments: &[&str]) -> Outcome {
        outcome(self.command_at_home(arguments))
    }

    /// `steadymask run CLIP OPTIONS`, with a store of its own where the options name none.
    pub fn run(&self, clip: &Path, options: &str) -> Outcome {
        self.outcome(&run_arguments(clip, options))
    }

    /// The same, which must succeed.
    pub fn run_well(&self, clip: &Path, options: &str) -> Outcome {
        let outcome = self.run(clip, options);
        assert_eq!(outcome.code, Some(0), "{}", outcome.err);
        outcome
    }

    /// A video of FFmpeg's test picture, encoded with these arguments.
    pub fn clip(&self, name: &str, size: &str, frames: usize, arguments: &str) -> PathBuf {
        let path = self.path(name);
        let source = format!("testsrc2=size={size}:rate=25");
        let frames = frames.to_string();
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-threads", "2", "-f", "lavfi", "-i", &source, "-frames:v", &frames])
            .args(arguments.split_whitespace())
            .arg(&path)
            .stdin(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "ffmpeg {arguments} {name}");
        path
    }

    /// A folder of masks: a disc that moves and flickers.
    pub fn mattes(&self, name: &str, (width, height): (u32, u32), frames: usize) -> PathBuf {
        let folder = self.path(name);
        fs::create_dir(&folder).unwrap();
        for frame in 0..frames {
            let radius = height as i32 / 3 - if frame % 3 == 1 { 4 } else { 0 };
            let centre = (width as i32 / 3 + frame as i32, height as i32 / 2);
            let disc = image::GrayImage::from_fn(width, height, |x, y| {
                let (x, y) = (x as i32 - centre.0, y as i32 - centre.1);
                image::Luma([if x * x + y * y < radius * radius { 255 } else { 0 }])
            });
            disc.save(folder.join(format!("{frame:06}.png"))).unwrap();
        }
        folder
    }
}

pub fn run_arguments<'a>(clip: &'a Path, options: &'a str) -> Vec<&'a str> {
    let mut arguments = vec!["run", clip.to_str().unwrap()];
    arguments.extend(options.split_whitespace());
    if !arguments.contains(&"--cache") {
        arguments.extend(["--cache", "cache"]);
    }
    arguments
}

pub fn outcome(mut command: Command) -> Outcome {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Everything below a folder, hidden files too, with `/` after folders.
pub fn tree(folder: &Path) -> BTreeSet<String> {
    fn visit(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                visit(&entry.path(), &format!("{name}/"), found);
                found.insert(name + "/");
            } else {
                found.insert(name);
            }
        }
    }
    let mut found = BTreeSet::new();
    visit(folder, "", &mut found);
    found
}

/// The masks of a folder in order, by file name; 8-bit grey and nothing but 0 and 255.
pub fn masks(folder: &Path) -> Vec<(String, image::GrayImage)> {
    let mut names: Vec<String> = tree(folder).into_iter().collect();
    names.sort();
    let read = |name: String| {
        let image = image::open(folder.join(&name)).unwrap();
        assert_eq!(image.color(), image::ColorType::L8, "{name}");
        let image = image.into_luma8();
        assert!(image.pixels().all(|pixel| matches!(pixel.0, [0 | 255])), "{name}");
        (name, image)
    };
    names.into_iter().map(read).collect()
}

/// The frames of a grey video as FFmpeg decodes them, cut to `width × height`.
pub fn grey_frames(video: &Path, (width, height): (u32, u32)) -> Vec<Vec<u8>> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(video)
        .args(["-vf", &format!("crop={width}:{height}:0:0:exact=1")])
        .args(["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.chunks((width * height) as usize).map(<[u8]>::to_vec).collect()
}

/// How many frames of a video decode, as ffprobe counts them.
pub fn count_frames(video: &Path) -> usize {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-count_frames", "-of", "csv=p=0"])
        .args(["-show_entries", "stream=nb_read_frames"])
        .arg(video)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().trim_end_matches(',').parse().unwrap_or_else(|_| panic!("{}: {text}", video.display()))
}

/// What an ended run leaves has no name of its own: it is hidden, for the next run.
pub fn nothing_shows(out: &Path) {
    let Ok(entries) = fs::read_dir(out) else { return };
    for entry in entries {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with(".steadymask-"), "{name}");
    }
}

/// Where the store keeps what the network has said.
pub fn logits(bench: &Workbench) -> Option<PathBuf> {
    let clips = fs::read_dir(bench.path("cache")).ok()?.flatten();
    let tracks = clips.filter_map(|clip| fs::read_dir(clip.path()).ok()).flatten().flatten();
    tracks.map(|track| track.path()).find(|path| path.to_string_lossy().contains("/logits-"))
}
