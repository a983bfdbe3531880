//! Optical flow between pictures by OpenCV: DIS for smoothing, Farnebäck for scoring, so that a
//! smoother is never judged by the flow that it used.

use opencv::core::{Mat, MatTraitConst, MatTraitConstManual, Ptr, Size, Vec2f};
use opencv::imgproc;
use opencv::prelude::*;
use opencv::video;

use base::frame::{Frame, FrameIndex, FrameSize};

use super::cut::is_cut;
use super::field::FlowField;
use super::{FlowError, FlowPair};

/// How much work goes into the flow, from least to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quality {
    /// DIS's fast preset, on a grid of at most 480 px.
    Fast,
    /// As `Fine`, on a grid of at most 640 px.
    Medium,
    /// DIS at its finest scale, on a grid of at most 854 px.
    #[default]
    Fine,
}

/// An algorithm for dense flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// Dense inverse search (Kroeger et al., 2016), from OpenCV.
    Dis(Quality),
    /// Polynomial expansion (Farnebäck, 2003): slower and rougher, but independent of DIS.
    Farneback,
}

impl Estimator {
    /// A name for file names. Flow stored under a name is never estimated again, so whoever changes
    /// the parameters must change the name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dis(Quality::Fast) => "dis-fast-2",
            Self::Dis(Quality::Medium) => "dis-medium-6",
            Self::Dis(Quality::Fine) => "dis-fine-6",
            Self::Farneback => "farneback-2",
        }
    }

    /// The grid to which pictures of this size are scaled: its long side is limited by the quality,
    /// and no side is too short for the estimator.
    pub fn grid_for(self, picture: FrameSize) -> FrameSize {
        let fitted = picture.fit_long_side(match self {
            Self::Dis(Quality::Fine) | Self::Farneback => 854,
            Self::Dis(Quality::Medium) => 640,
            Self::Dis(Quality::Fast) => 480,
        });
        let side = |px: usize| (px as u32).max(MIN_SIDE_PX);
        FrameSize::new(side(fitted.width()), side(fitted.height())).unwrap_or(fitted)
    }
}

/// Estimates the flow between each frame and the one before it. Keeps one grey picture.
pub struct FlowEstimator {
    picture: FrameSize,
    grid: FrameSize,
    forward: Algorithm,
    backward: Algorithm,
    last: Option<Mat>,
}

enum Algorithm {
    Dis(Ptr<video::DISOpticalFlow>),
    Farneback,
}

/// OpenCV's DIS refuses pictures smaller than 12 px, and its pyramid needs some more.
const MIN_SIDE_PX: u32 = 32;

impl FlowEstimator {
    /// For pictures of `size`, on the estimator's own [grid](Estimator::grid_for).
    ///
    /// # Errors
    /// When OpenCV has no such algorithm.
    pub fn new(size: FrameSize, estimator: Estimator) -> Result<Self, FlowError> {
        Self::with_grid(size, estimator.grid_for(size), estimator)
    }

    /// For pictures of size `picture`, on another grid.
    ///
    /// # Errors
    /// When OpenCV has no such algorithm.
    pub fn with_grid(picture: FrameSize, grid: FrameSize, estimator: Estimator) -> Result<Self, FlowError> {
        let make = || Algorithm::new(estimator).map_err(|cause| failed(FrameIndex::ZERO, &cause));
        Ok(Self { picture, grid, forward: make()?, backward: make()?, last: None })
    }

    /// The grid of the estimated flow.
    pub fn grid(&self) -> FrameSize {
        self.grid
    }

    /// The flow between the previous frame and this one; `None` for the first.
    ///
    /// # Errors
    /// When the frame has another size than the others, or OpenCV fails.
    pub fn push(&mut self, frame: &Frame) -> Result<Option<FlowPair>, FlowError> {
        if frame.size() != self.picture {
            return Err(FlowError::Size {
                frame: frame.index(),
                expected: self.picture,
                found: frame.size(),
            });
        }
        let failed = |cause: opencv::Error| failed(frame.index(), &cause);
        let grey = grey_on(frame, self.grid).map_err(failed)?;
        let pair = match &self.last {
            None => None,
            Some(last) => {
                let (forward, backward) = (&mut self.forward, &mut self.backward);
                let (forward, backward) =
                    rayon::join(|| forward.estimate(last, &grey), || backward.estimate(&grey, last));
                let pair = FlowPair::new(forward.map_err(failed)?, backward.map_err(failed)?, false);
                let cut =
                    is_cut(&pair, last.data_bytes().map_err(failed)?, grey.data_bytes().map_err(failed)?);
                Some(pair.with_cut(cut))
            }
        };
        self.last = Some(grey);
        Ok(pair)
    }

    /// Forgets the last frame, so that the next one counts as the first, as after a seek.
    pub fn restart(&mut self) {
        self.last = None;
    }
}

fn failed(frame: FrameIndex, cause: &opencv::Error) -> FlowError {
    FlowError::Estimate { frame, cause: cause.message.clone() }
}

/// The picture as grey, scaled to the flow's grid.
fn grey_on(frame: &Frame, grid: FrameSize) -> opencv::Result<Mat> {
    let size = frame.size();
    let rgb = Mat::new_rows_cols_with_bytes::<opencv::core::Vec3b>(
        size.height() as i32,
        size.width() as i32,
        frame.rgb(),
    )?;
    let mut grey = Mat::default();
    imgproc::cvt_color_def(&rgb, &mut grey, imgproc::COLOR_RGB2GRAY)?;
    if size == grid {
        return Ok(grey);
    }
    let mut small = Mat::default();
    let dsize = Size::new(grid.width() as i32, grid.height() as i32);
    // Bilinear interpolation misses no pixel of a picture up to twice as large as the grid. For larger
    // ones each grid pixel is the mean of the area it covers, which takes six times as long.
    let method = if size.width() < 2 * grid.width() { imgproc::INTER_LINEAR } else { imgproc::INTER_AREA };
    imgproc::resize(&grey, &mut small, dsize, 0.0, 0.0, method)?;
    Ok(small)
}

impl Algorithm {
    fn new(estimator: Estimator) -> opencv::Result<Self> {
        let Estimator::Dis(quality) = estimator else { return Ok(Self::Farneback) };
        if quality == Quality::Fast {
            return Ok(Self::Dis(video::DISOpticalFlow::create(video::DISOpticalFlow_PRESET_FAST)?));
        }
        // Thin parts need the fine scale (J of a running dog's mask: +0.1 points with the fast preset,
        // +3.5 with this one), but not all iterations of the medium preset, which take longer without a
        // visible gain (three variational refinements instead of one: a quarter longer).
        let mut dis = video::DISOpticalFlow::create(video::DISOpticalFlow_PRESET_MEDIUM)?;
        dis.set_patch_stride(5)?;
        dis.set_gradient_descent_iterations(12)?;
        dis.set_variational_refinement_iterations(1)?;
        Ok(Self::Dis(dis))
    }

    /// The flow from one grey picture to another of the same size.
    fn estimate(&mut self, from: &Mat, to: &Mat) -> opencv::Result<FlowField> {
        let mut flow = Mat::default();
        match self {
            Self::Dis(dis) => dis.calc(from, to, &mut flow)?,
            // The parameters that give ground-truth masks the least warped instability: a fine
            // pyramid, since a fast leg is lost between two coarse levels (0.065 with a scale of
            // 0.5, 0.044 with this one), and a Gaussian window.
            Self::Farneback => {
                let flags = video::OPTFLOW_FARNEBACK_GAUSSIAN;
                video::calc_optical_flow_farneback(from, to, &mut flow, 0.8, 16, 15, 5, 5, 1.1, flags)?
            }
        }
        let vectors = flow.data_typed::<Vec2f>()?;
        let size = FrameSize::new(flow.cols() as u32, flow.rows() as u32)
            .ok_or_else(|| opencv::Error::new(opencv::core::StsBadSize, "flow of no size"))?;
        Ok(FlowField::from_px(size, vectors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::Timestamp;

    /// A smooth texture, moved by (dx, dy).
    fn texture(size: FrameSize, dx: f64, dy: f64) -> Frame {
        let value = |i: usize| {
            let (x, y) = ((i % size.width()) as f64 - dx, (i / size.width()) as f64 - dy);
            let waves = (x * 0.21).sin() + (y * 0.17 + x * 0.05).cos() + (x * 0.043 - y * 0.071).sin();
            (128.0 + 40.0 * waves) as u8
        };
        let rgb = (0..size.pixels()).flat_map(|i| [value(i); 3]).collect();
        Frame::new(FrameIndex::ZERO, Timestamp::default(), size, rgb)
    }

    fn size(width: u32, height: u32) -> FrameSize {
        FrameSize::new(width, height).unwrap()
    }

    #[test]
    fn every_estimator_finds_a_known_shift_both_ways() {
        let picture = size(240, 160);
        for estimator in [Quality::Fast, Quality::Medium, Quality::Fine]
            .map(Estimator::Dis)
            .into_iter()
            .chain([Estimator::Farneback])
        {
            let mut flow = FlowEstimator::with_grid(picture, picture, estimator).unwrap();
            assert_eq!(flow.push(&texture(picture, 0.0, 0.0)).unwrap(), None);
            let pair = flow.push(&texture(picture, 3.0, -2.0)).unwrap().unwrap();
            for (direction, sign) in [(pair.forward(), 1.0), (pair.backward(), -1.0)] {
                assert!(direction.valid_share() > 0.9, "{estimator:?}: {}", direction.valid_share());
                let [dx, dy] = direction.field().vector(120, 80);
                assert!(
                    (dx - sign * 3.0).abs() < 0.3 && (dy + sign * 2.0).abs() < 0.3,
                    "{estimator:?}: {dx}, {dy}"
                );
            }
            assert!(!pair.is_cut());
        }
    }

    #[test]
    fn a_large_picture_is_followed_on_a_small_grid() {
        let picture = size(960, 540);
        let mut flow = FlowEstimator::new(picture, Estimator::Dis(Quality::Medium)).unwrap();
        assert_eq!(flow.grid(), size(640, 360));
        flow.push(&texture(picture, 0.0, 0.0)).unwrap();
        let pair = flow.push(&texture(picture, 6.0, 0.0)).unwrap().unwrap();
        let [dx, _] = pair.forward().field().vector(320, 180);
        assert!((dx - 4.0).abs() < 0.3, "{dx}");
    }

    #[test]
    fn tiny_and_odd_pictures_work() {
        for picture in [size(1, 1), size(17, 3), size(2001, 5)] {
            for estimator in [Estimator::Dis(Quality::Medium), Estimator::Farneback] {
                let mut flow = FlowEstimator::new(picture, estimator).unwrap();
                flow.push(&texture(picture, 0.0, 0.0)).unwrap();
                assert!(flow.push(&texture(picture, 1.0, 0.0)).unwrap().is_some());
            }
        }
    }

    #[test]
    fn another_size_is_an_error() {
        let mut flow = FlowEstimator::new(size(64, 48), Estimator::Dis(Quality::Fast)).unwrap();
        let error = flow.push(&texture(size(64, 47), 0.0, 0.0)).unwrap_err();
        assert!(error.to_string().contains("64×48"), "{error}");
    }
}
