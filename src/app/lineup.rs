//! The line of clips: several files that were dropped together are done one after another,
//! with the settings of the moment when they came in.

use std::path::{Path, PathBuf};

use super::{App, state::State};
use crate::{
    jobs::Machine,
    project::{CleanUpStep, DecodeStep, ExportStep, SegmentStep, SmoothStep, Step},
    segment::library::Library,
    smooth::Settings,
};

/// What can be done with the line.
#[derive(Clone, Debug, PartialEq)]
pub enum LineCommand {
    /// The files that were dropped together with the open one.
    AddDropped,
    AddOpen,
    /// So many places down, or up.
    Shift(u64, isize),
    Hold(bool),
    Cancel(u64),
    Retry(u64),
    Remove(u64),
}

impl App {
    pub(super) fn line(&mut self, command: LineCommand) {
        match command {
            LineCommand::AddDropped => {
                self.lineup.set_machine(machine(&self.state));
                for path in std::mem::take(&mut self.state.waiting) {
                    let out = folder_for(&path);
                    self.lineup.add(path, steps(&self.state, DecodeStep::default()), out);
                }
            }
            LineCommand::AddOpen => {
                let Some(clip) = &self.state.clip else { return };
                let frame = |frame: usize| u32::try_from(frame).ok();
                let player = &self.state.player;
                let decode = DecodeStep {
                    from: player.first.and_then(frame),
                    to: player.last.and_then(frame),
                    ..DecodeStep::default()
                };
                self.lineup.set_machine(machine(&self.state));
                self.lineup.add(clip.path.clone(), steps(&self.state, decode), folder_for(&clip.path));
            }
            LineCommand::Shift(id, places) => self.lineup.shift(id, places),
            LineCommand::Hold(held) => self.lineup.hold(held),
            LineCommand::Cancel(id) => self.lineup.cancel(id),
            LineCommand::Retry(id) => self.lineup.retry(id),
            LineCommand::Remove(id) => self.lineup.remove(id),
        }
    }
}

/// Beside the clip, as the export dialog proposes.
pub fn folder_for(video: &Path) -> PathBuf {
    let stem = video.file_stem().unwrap_or_default().to_string_lossy();
    video.with_file_name(format!("{stem}-steady"))
}

/// What a clip of the line may take.
pub fn machine(state: &State) -> Machine {
    let machine = &state.preferences.machine;
    Machine {
        library: Library::new(None),
        trust_model: false,
        threads: machine.threads,
        // The clip that is open has the rest.
        memory_bytes: machine.job_bytes() / 2,
        store: state.store_folder.clone(),
        store_limit_bytes: machine.cache_bytes(),
    }
}

fn steps(state: &State, decode: DecodeStep) -> Vec<Step> {
    let choice = &state.choice;
    let Settings { method, window, alpha, timing, input, motion, .. } = choice.settings;
    let Settings { threshold, hysteresis, min_area_px, fill_holes_px, overlap, .. } = choice.settings;
    let options = state.plan.options().unwrap_or_default();
    vec![
        Step::Decode(decode),
        Step::Segment(SegmentStep {
            model: choice.model.clone(),
            classes: choice.classes.clone(),
            device: state.preferences.machine.device,
        }),
        Step::Smooth(SmoothStep { auto: false, method, window, alpha, timing, input, motion }),
        Step::CleanUp(CleanUpStep { threshold, hysteresis, min_area_px, fill_holes_px, overlap }),
        Step::Export(ExportStep {
            kinds: state.plan.kinds.clone(),
            names: options.names,
            edges: options.edges,
            backdrop: options.backdrop,
        }),
    ]
}
