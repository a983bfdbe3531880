//! Optical flow from pictures, through OpenCV: DIS for the work, Farnebäck for scoring, so
//! that the smoother is never judged by the flow that it used.

use opencv::core::{Mat, MatTraitConst, MatTraitConstManual, Ptr, Size, Vec2f};
use opencv::imgproc;
use opencv::prelude::*;
use opencv::video;

use crate::frame::{Frame, FrameIndex, FrameSize};

use super::cut::{Look, is_cut};
use super::field::FlowField;
use super::{FlowError, FlowPair};

/// How much work the flow may be, from least to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quality {
    Fast,
    #[default]
    Medium,
    Fine,
}

/// An algorithm for dense flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// Dense inverse search (Kroeger et al., 2016), with OpenCV's presets.
    Dis(Quality),
    /// Polynomial expansion (Farnebäck, 2003): slower and rougher, but independent of DIS.
    Farneback,
}

impl Estimator {
    /// As it can stand in a file name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dis(Quality::Fast) => "dis-fast",
            Self::Dis(Quality::Medium) => "dis-medium",
            Self::Dis(Quality::Fine) => "dis-fine",
            Self::Farneback => "farneback",
        }
    }
}

/// Streams frames into flow between neighbours. Keeps one grey picture.
pub struct FlowEstimator {
    picture: FrameSize,
    grid: FrameSize,
    there: Algorithm,
    back: Algorithm,
    last: Option<(Mat, Look)>,
}

enum Algorithm {
    Dis(Ptr<video::DISOpticalFlow>),
    Farneback,
}

/// OpenCV's DIS refuses pictures under 12 px and its pyramid needs some room.
const LEAST_SIDE_PX: u32 = 32;
const GRID_LONG_SIDE_PX: u32 = 480;

impl FlowEstimator {
    /// For pictures of `size`, on the grid of [`Self::grid_for`].
    ///
    /// # Errors
    /// When OpenCV has no such algorithm.
    pub fn new(size: FrameSize, quality: Quality) -> Result<Self, FlowError> {
        Self::with(size, Self::grid_for(size), Estimator::Dis(quality))
    }

    /// With a grid and an algorithm of one's own.
    pub fn with(picture: FrameSize, grid: FrameSize, estimator: Estimator) -> Result<Self, FlowError> {
        let make = || Algorithm::new(estimator).map_err(|cause| failed(FrameIndex::ZERO, &cause));
        Ok(Self { picture, grid, there: make()?, back: make()?, last: None })
    }

    /// The default grid: the picture with a long side of at most 480 px, and no side so
    /// short that the estimator could not work.
    pub fn grid_for(picture: FrameSize) -> FrameSize {
        let fitted = picture.fit_long_side(GRID_LONG_SIDE_PX);
        let side = |px: usize| (px as u32).max(LEAST_SIDE_PX);
        FrameSize::new(side(fitted.width()), side(fitted.height())).unwrap_or(fitted)
    }

    pub fn grid(&self) -> FrameSize {
        self.grid
    }

    /// The flow between the frame before and this one; `None` for the first.
    pub fn push(&mut self, frame: &Frame) -> Result<Option<FlowPair>, FlowError> {
        if frame.size() != self.picture {
            return Err(FlowError::Size { frame: frame.index(), expected: self.picture, found: frame.size() });
        }
        let failed = |cause: opencv::Error| failed(frame.index(), &cause);
        let grey = grey_on(frame, self.grid).map_err(failed)?;
        let look = Look::of(grey.data_bytes().map_err(failed)?);
        let pair = match &self.last {
            None => None,
            Some((last, last_look)) => {
                let (there, back) = (&mut self.there, &mut self.back);
                let (forward, backward) = rayon::join(|| there.between(last, &grey), || back.between(&grey, last));
                let pair = FlowPair::new(forward.map_err(failed)?, backward.map_err(failed)?, false);
                let (from, to) = (last.data_bytes().map_err(failed)?, grey.data_bytes().map_err(failed)?);
                let cut = is_cut(&pair, (from, last_look), (to, &look));
                Some(pair.with_cut(cut))
            }
        };
        self.last = Some((grey, look));
        Ok(pair)
    }

    /// Forgets the last frame, as before a seek.
    pub fn restart(&mut self) {
        self.last = None;
    }
}

fn failed(frame: FrameIndex, cause: &opencv::Error) -> FlowError {
    FlowError::Estimate { frame, cause: cause.message.clone() }
}

/// The picture's luma on the flow's grid, each grid pixel the mean of what it covers.
fn grey_on(frame: &Frame, grid: FrameSize) -> opencv::Result<Mat> {
    let size = frame.size();
    let rgb = Mat::new_rows_cols_with_bytes::<opencv::core::Vec3b>(size.height() as i32, size.width() as i32, frame.rgb())?;
    let mut grey = Mat::default();
    imgproc::cvt_color_def(&rgb, &mut grey, imgproc::COLOR_RGB2GRAY)?;
    if size == grid {
        return Ok(grey);
    }
    let mut small = Mat::default();
    let dsize = Size::new(grid.width() as i32, grid.height() as i32);
    imgproc::resize(&grey, &mut small, dsize, 0.0, 0.0, imgproc::INTER_AREA)?;
    Ok(small)
}

impl Algorithm {
    fn new(estimator: Estimator) -> opencv::Result<Self> {
        let Estimator::Dis(quality) = estimator else { return Ok(Self::Farneback) };
        let preset = match quality {
            Quality::Fast => video::DISOpticalFlow_PRESET_ULTRAFAST,
            Quality::Medium => video::DISOpticalFlow_PRESET_FAST,
            Quality::Fine => video::DISOpticalFlow_PRESET_MEDIUM,
        };
        Ok(Self::Dis(video::DISOpticalFlow::create(preset)?))
    }

    /// The flow from one grey picture to another of the same size.
    fn between(&mut self, from: &Mat, to: &Mat) -> opencv::Result<FlowField> {
        let mut flow = Mat::default();
        match self {
            Self::Dis(dis) => dis.calc(from, to, &mut flow)?,
            // The parameters of OpenCV's own sample, with a window wide enough for video.
            Self::Farneback => video::calc_optical_flow_farneback(from, to, &mut flow, 0.5, 5, 15, 3, 5, 1.2, 0)?,
        }
        let vectors = flow.data_typed::<Vec2f>()?;
        let wide = flow.cols() as usize;
        let size = FrameSize::new(flow.cols() as u32, flow.rows() as u32)
            .ok_or_else(|| opencv::Error::new(opencv::core::StsBadSize, "flow of no size"))?;
        Ok(FlowField::from_fn(size, |x, y| vectors[y * wide + x].0))
    }
}
