//! The setting that suits a clip, found without ground truth.
//!
//! Instability alone would choose the strongest filter, however late or wrong its masks. So
//! the least warped instability is sought among the settings whose masks are on time
//! (|lag| ≤ 0.1 frames) and still agree with the raw ones: by 0.9, or, where the raw masks
//! flicker so much that they don't agree with *themselves* from frame to frame by that, by
//! what they do.

use super::{CancelToken, PipelineError, Progress, Stabilisation, StabilisationOutput};
use base::frame::FrameRange;
use metrics::{ClassSummary, Metric};
use smooth::{Alpha, Method, Settings, Window};

/// Masks that are later, or earlier, are not on time.
pub const MAX_LAG_FRAMES: f64 = 0.1;
/// The intersection over union that smoothed masks must have with the raw ones.
pub const MIN_AGREEMENT: f64 = 0.9;
/// A stretch of this length says enough of a clip.
const MAX_FRAMES: usize = 150;

/// The frames that are tried of those in `range`.
pub fn tuning_range(range: FrameRange) -> FrameRange {
    let FrameRange { first, last } = range;
    FrameRange { first, last: last.min(first.saturating_add(MAX_FRAMES - 1)) }
}

/// A setting that was tried, and what it gave: means over the classes.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Trial {
    /// The settings that were tried.
    pub settings: Settings,
    /// Of the smoothed masks, compared along the motion; less is steadier.
    pub warped_instability: Option<f64>,
    /// The largest of the classes; `None` where it can't be told (a still clip).
    pub lag_frames: Option<f64>,
    /// Intersection over union with the raw masks.
    pub agreement: Option<f64>,
    /// On time, and true enough to the raw masks.
    pub admissible: bool,
}

/// What was chosen, and of what.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TuningResult {
    /// The settings that were chosen.
    pub settings: Settings,
    /// In plain words.
    pub why: String,
    /// The agreement that was asked for.
    pub min_agreement: f64,
    /// In the order in which they were tried.
    pub trials: Vec<Trial>,
}

/// Tries settings on the clip that `stabilisation` describes, whose own settings say what
/// does not belong to method and strength, and give way when nothing else is admissible.
///
/// # Errors
/// As [`Stabilisation::run`].
pub fn tune(
    stabilisation: impl Fn(Settings) -> Stabilisation,
    base: Settings,
    progress: &Progress,
    cancel: &CancelToken,
) -> Result<TuningResult, PipelineError> {
    let candidates = candidates(base);
    progress.set_total(Some(candidates.len()));
    let mut trials = Vec::new();
    let mut min_agreement = MIN_AGREEMENT;
    for settings in candidates {
        if cancel.is_cancelled() {
            return Err(PipelineError::Cancelled);
        }
        let mut job = stabilisation(settings);
        job.source.range = tuning_range(job.source.range);
        let summaries = job.run(|_: StabilisationOutput| Ok(()))?;
        if let Some(own) = mean(summaries.iter().map(|summary| warped_instability(summary, false))) {
            min_agreement = MIN_AGREEMENT.min(1.0 - own);
        }
        trials.push(trial(settings, &summaries, min_agreement));
        progress.advance();
    }
    let best = trials.iter().filter(|trial| trial.admissible).min_by(|a, b| {
        f64::total_cmp(&a.warped_instability.unwrap_or(1.0), &b.warped_instability.unwrap_or(1.0))
    });
    let (settings, why) = match best {
        Some(best) => (best.settings, reason(best, &trials, min_agreement)),
        None => (
            base,
            format!(
                "no setting is on time (lag up to {MAX_LAG_FRAMES} frames) and agrees with the raw masks by {min_agreement:.2}, so the settings stay as they were"
            ),
        ),
    };
    Ok(TuningResult { settings, why, min_agreement, trials })
}

/// Tunes on the clip of an evaluation, of whose ground truth it sees nothing.
///
/// # Errors
/// As [`Stabilisation::run`].
pub fn tune_for(
    evaluation: &super::Evaluation,
    base: Settings,
    cancel: &CancelToken,
) -> Result<TuningResult, PipelineError> {
    let job = |settings| Stabilisation { truth: None, ..evaluation.stabilisation(settings, cancel) };
    tune(job, base, &Progress::default(), cancel)
}

fn candidates(base: Settings) -> Vec<Settings> {
    let windows = |method, frames: &[u32]| {
        let windows = frames.iter().filter_map(|&frames| Window::new(frames).ok());
        windows.map(|window| Settings { method, window, ..base }).collect::<Vec<_>>()
    };
    let alphas = [0.4, 0.25, 0.15, 0.1, 0.07].into_iter().filter_map(|alpha| Alpha::new(alpha).ok());
    let mut all = windows(Method::MovingAverage, &[5, 9, 13]);
    all.extend(windows(Method::Median, &[5, 9]));
    all.extend(alphas.map(|alpha| Settings { method: Method::Exponential, alpha, ..base }));
    all
}

fn trial(settings: Settings, summaries: &[ClassSummary], min_agreement: f64) -> Trial {
    let lag_frames = summaries
        .iter()
        .filter_map(|summary| summary.lag)
        .map(|lag| lag.frames)
        .max_by(|a, b| f64::total_cmp(&a.abs(), &b.abs()));
    let agreement = mean(summaries.iter().map(|summary| Some(summary.agreement.as_ref()?.mean)));
    let on_time = lag_frames.is_none_or(|lag| lag.abs() <= MAX_LAG_FRAMES);
    Trial {
        settings,
        warped_instability: mean(summaries.iter().map(|summary| warped_instability(summary, true))),
        lag_frames,
        agreement,
        admissible: on_time && agreement.is_some_and(|agreement| agreement >= min_agreement),
    }
}

fn reason(best: &Trial, trials: &[Trial], min_agreement: f64) -> String {
    let late =
        trials.iter().filter(|trial| trial.lag_frames.is_some_and(|lag| lag.abs() > MAX_LAG_FRAMES)).count();
    let untrue = trials.iter().filter(|trial| !trial.admissible).count() - late;
    format!(
        "the least warped instability, {:.3}, of {} settings; left out: {late} for lag over {MAX_LAG_FRAMES} frames, {untrue} for agreement with the raw masks under {min_agreement:.2}",
        best.warped_instability.unwrap_or(0.0),
        trials.len(),
    )
}

fn warped_instability(summary: &ClassSummary, smoothed: bool) -> Option<f64> {
    let metric = &summary.metrics[Metric::WarpedInstability];
    Some(if smoothed { metric.smoothed.as_ref()? } else { metric.raw.as_ref()? }.mean)
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.flatten().collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
