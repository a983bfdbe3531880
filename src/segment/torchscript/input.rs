//! From frames to the network's input tensor.

use opencv::core::{Mat, MatTraitConstManual as _, Size, Vec3b};
use opencv::imgproc;
use tch::{Kind, Tensor};

use crate::Manifest;
use base::frame::{Frame, FrameSize};

/// `[frames, 3, height, width]`, normalised as the manifest says, channels last in memory.
pub(super) fn tensor(
    frames: &[&Frame],
    size: FrameSize,
    manifest: &Manifest,
    device: tch::Device,
) -> Result<Tensor, String> {
    let mut bytes = Vec::with_capacity(frames.len() * 3 * size.pixels());
    for frame in frames {
        scale_into(frame, size, &mut bytes)
            .map_err(|error| format!("the picture could not be scaled ({error})"))?;
    }
    normalise(&bytes, frames.len(), size, manifest, device).map_err(|error| super::trace::first_line(&error))
}

/// Shrinks by averaging areas, so that fine detail does not alias; enlarges bilinearly.
fn scale_into(frame: &Frame, size: FrameSize, bytes: &mut Vec<u8>) -> Result<(), opencv::Error> {
    let source = frame.size();
    if source == size {
        bytes.extend_from_slice(frame.rgb());
        return Ok(());
    }
    let picture =
        Mat::new_rows_cols_with_bytes::<Vec3b>(source.height() as i32, source.width() as i32, frame.rgb())?;
    let shrinks = size.width() <= source.width() && size.height() <= source.height();
    let method = if shrinks { imgproc::INTER_AREA } else { imgproc::INTER_LINEAR };
    let mut scaled = Mat::default();
    let to = Size::new(size.width() as i32, size.height() as i32);
    imgproc::resize(&picture, &mut scaled, to, 0.0, 0.0, method)?;
    bytes.extend_from_slice(scaled.data_bytes()?);
    Ok(())
}

fn normalise(
    bytes: &[u8],
    frames: usize,
    size: FrameSize,
    manifest: &Manifest,
    device: tch::Device,
) -> Result<Tensor, tch::TchError> {
    let shape = [frames as i64, size.height() as i64, size.width() as i64, 3];
    // (byte / 255 − mean) / std, as one product and one sum.
    let scale = manifest.std.map(|std| 1.0 / (255.0 * std));
    let shift: [f32; 3] = std::array::from_fn(|channel| -manifest.mean[channel] / manifest.std[channel]);
    // Bytes go up, a quarter of what normalised pictures would be.
    upload(Tensor::f_from_data_size(bytes, &shape, Kind::Uint8)?, device)?
        .f_to_kind(Kind::Float)?
        .f_mul_(&upload(Tensor::f_from_slice(&scale)?, device)?)?
        .f_add_(&upload(Tensor::f_from_slice(&shift)?, device)?)?
        .f_permute([0, 3, 1, 2])
}

/// From pinned memory, so that the copy waits in the GPU's queue and nobody waits for it.
fn upload(tensor: Tensor, device: tch::Device) -> Result<Tensor, tch::TchError> {
    if !device.is_cuda() {
        return Ok(tensor);
    }
    let kind = tensor.f_kind()?;
    tensor.f_pin_memory(device)?.f_to_device_(device, kind, true, false)
}
