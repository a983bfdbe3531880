//! TorchScript networks: the only folder that knows tch.
//!
//! `tch` panics where torch reports an error, so only its `f_…` variants are called here, and
//! its errors become ours. Autograd is off. Convolutions run on channels-last tensors, which
//! is what a picture's rows are anyway.

mod batch;
mod convert;
mod deeplab;
mod device;
mod graph;
mod input;
#[cfg(test)]
mod tests;
mod trace;

use std::path::{Path, PathBuf};

use half::f16;
use tch::{CModule, IValue, Kind, TchError, Tensor};

pub use convert::{ConvertedNetwork, WeightsFormat, convert};
pub use device::{cuda_status, nvidia_driver, torch_folder};

use self::batch::BatchFailure;
use super::{LoadOptions, Logits, Manifest, SegmentError, Segmenter};
use base::frame::{Frame, FrameIndex, FrameSize};
use base::process::TrimMemoryOnDrop;

/// The libtorch that this program is built against.
pub fn torch_version() -> &'static str {
    env!("STEADYMASK_TORCH_VERSION")
}

/// A network in TorchScript, ready to run.
pub struct TorchScript {
    pt: PathBuf,
    module: CModule,
    manifest: Manifest,
    device: tch::Device,
    threads: i32,
    /// Frames of one step.
    batch: usize,
    note: Option<String>,
    _memory: TrimMemoryOnDrop,
}

impl TorchScript {
    /// Opens the network in `pt`. A TorchScript file is a program: the caller answers for
    /// trusting it (see [`crate::library`]).
    ///
    /// `tries_sizes` runs it at three sizes and aspects first. Tracing can bake a size in; the
    /// networks of our own converters are known not to have one.
    ///
    /// # Errors
    /// [`SegmentError::Model`] when the file is not a TorchScript network, when the device
    /// can't be had, and when the network does not do what its manifest says.
    pub fn load(
        pt: &Path,
        manifest: Manifest,
        options: LoadOptions,
        tries_sizes: bool,
    ) -> Result<Self, SegmentError> {
        let fail = |cause: String, remedy: &str| SegmentError::Model {
            name: pt.display().to_string(),
            cause,
            remedy: remedy.to_owned(),
        };
        manifest.check().map_err(|cause| fail(cause, "correct the JSON file beside it"))?;
        let device = device::choose(options.device)
            .map_err(|cause| fail(cause, "or use --device auto or --device cpu"))?;
        let module = CModule::load_on_device(pt, device).map_err(|error| {
            fail(
                format!(
                    "it is not a TorchScript network that torch {} opens ({})",
                    torch_version(),
                    trace::first_line(&error)
                ),
                "save it in Python with torch.jit.trace or torch.jit.script and .save()",
            )
        })?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if options.threads == 0 { cores } else { options.threads };
        let threads = i32::try_from(threads).unwrap_or(i32::MAX).min(1024);
        // The CPU is busy with one picture; more at once only take memory.
        let batch = if device.is_cuda() { batch::FIRST_ON_GPU } else { 1 };
        let (pt, _memory) = (pt.to_owned(), TrimMemoryOnDrop);
        let mut network = Self { pt, module, manifest, device, threads, batch, note: None, _memory };
        if tries_sizes {
            network.try_sizes().map_err(|(cause, remedy)| fail(cause, remedy))?;
        }
        Ok(network)
    }

    /// Shows the network pictures of three shapes, small ones where its rule allows it.
    fn try_sizes(&mut self) -> Result<(), (String, &'static str)> {
        let rule = self.manifest.input;
        let mut sizes: Vec<FrameSize> = [(160, 120), (120, 160), (192, 192)]
            .into_iter()
            .filter_map(|(width, height)| FrameSize::new(width, height))
            .map(|shape| rule.with_long_side(shape.width().max(shape.height()) as u32).for_picture(shape))
            .collect();
        // A fixed rule gives the same size each time.
        sizes.dedup();
        for size in sizes {
            let rgb = (0..3 * size.pixels()).map(|i| (i * 7919 % 251) as u8).collect();
            let frame = Frame::new(FrameIndex::ZERO, Default::default(), size, rgb);
            let logits = self
                .forward(&[&frame], size)
                .map_err(|cause| {
                    (
                        format!("it fails on a picture of {size} ({cause})"),
                        "if tracing baked one size in, give that size in its JSON file as {\"rule\": \"fixed\", …}, or save it with torch.jit.script",
                    )
                })?
                .remove(0);
            let stride = self.manifest.output_stride as usize;
            let near = |out: usize, side: usize| out.abs_diff(side.div_ceil(stride)) <= 1;
            if !near(logits.width, size.width()) || !near(logits.height, size.height()) {
                return Err((
                    format!(
                        "a picture of {size} comes out as {}×{}, which is not 1/{stride} of it",
                        logits.width, logits.height
                    ),
                    "correct output_stride in its JSON file; if the output never changes, tracing baked a size in: give that size there as {\"rule\": \"fixed\", …}",
                ));
            }
        }
        Ok(())
    }

    /// Runs the network on frames scaled to `size`.
    fn forward(&self, frames: &[&Frame], size: FrameSize) -> Result<Vec<Logits>, String> {
        self.end(self.begin(frames, size)?)
    }

    /// The output of the network on frames scaled to `size`, in half precision. A GPU still
    /// works on it when this returns.
    fn begin(&self, frames: &[&Frame], size: FrameSize) -> Result<Tensor, String> {
        // Threads that start later take the number over; this one is told itself.
        tch::set_num_threads(self.threads);
        tch::no_grad(|| {
            let x = input::tensor(frames, size, &self.manifest, self.device)?;
            let run = || self.module.forward_is(&[IValue::Tensor(x)]);
            let output = match self.device {
                // Convolutions in half precision; weights stay as they are in the file.
                tch::Device::Cuda(_) => tch::autocast(true, run),
                _ => run(),
            };
            let output = output.map_err(|error| trace::first_line(&error))?;
            let output = output_tensor(output)
                .ok_or("its output is neither a tensor, a tuple of them, nor a dict with «out»")?;
            let shape = output.size();
            if shape.first() != Some(&(frames.len() as i64)) {
                return Err(format!("of {} pictures its output has the shape {shape:?}", frames.len()));
            }
            to_half(&output).map_err(|error| trace::first_line(&error))
        })
    }

    /// Waits for what was begun.
    fn end(&self, output: Tensor) -> Result<Vec<Logits>, String> {
        let classes = self.manifest.classes.len();
        let shape = output.size();
        let (height, width) = match shape[..] {
            [_, c, height, width] if c as usize == classes => (height, width),
            // A single class may come without an axis of its own.
            [_, height, width] if classes == 1 => (height, width),
            _ => {
                return Err(format!(
                    "its output has the shape {shape:?}, and for {classes} classes [frames, {classes}, height, width] is expected"
                ));
            }
        };
        let (height, width) = (height as usize, width as usize);
        let values = read_f16(&output).map_err(|error| trace::first_line(&error))?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err("its output holds values that are not numbers".into());
        }
        let grid = |values: &[f16]| Logits { classes, height, width, values: values.to_vec() };
        Ok(values.chunks(classes * height * width).map(grid).collect())
    }

    /// Goes on with the CPU.
    fn fall_back_to_cpu(&mut self) -> Result<(), String> {
        self.module =
            CModule::load_on_device(&self.pt, tch::Device::Cpu).map_err(|error| trace::first_line(&error))?;
        self.device = tch::Device::Cpu;
        self.batch = 1;
        self.note = Some(
            "the GPU's memory holds not even one frame, so the network goes on with the CPU; \
             close what else uses the GPU, or try a smaller --long-side"
                .into(),
        );
        Ok(())
    }
}

impl Segmenter for TorchScript {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn segment(&mut self, frames: &[&Frame]) -> Result<Vec<Logits>, SegmentError> {
        let Some(first) = frames.first() else { return Ok(Vec::new()) };
        let size = self.manifest.input.for_picture(first.size());
        let mut batch = self.batch;
        let ran = batch::in_batches(
            frames,
            &mut batch,
            |frames| self.begin(frames, size),
            |output| self.end(output),
        );
        self.batch = batch;
        let BatchFailure { done, cause } = match ran {
            Ok(all) => return Ok(all),
            Err(failure) if self.device.is_cuda() && failure.is_out_of_memory() => {
                match self.fall_back_to_cpu() {
                    Ok(()) => {
                        let mut done = failure.done;
                        done.extend(self.segment(&frames[done.len()..])?);
                        return Ok(done);
                    }
                    Err(cause) => BatchFailure { cause, ..failure },
                }
            }
            Err(failure) => failure,
        };
        Err(SegmentError::Inference {
            frame: frames[done.len()].index(),
            cause,
            remedy: match self.device {
                tch::Device::Cuda(_) => "try --device cpu, or a smaller --long-side".into(),
                _ => "try a smaller --long-side, or another model".into(),
            },
        })
    }

    fn device_name(&self) -> String {
        match self.device {
            tch::Device::Cuda(index) => format!("CUDA GPU {index}, half precision"),
            _ => format!("CPU, {} threads", self.threads),
        }
    }

    fn batch_size(&self) -> usize {
        // One batch computes while the other is made ready.
        if self.device.is_cuda() { 2 * self.batch } else { 1 }
    }

    fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }
}

/// The one tensor that matters in what a network returns.
fn output_tensor(value: IValue) -> Option<Tensor> {
    match value {
        IValue::Tensor(tensor) => Some(tensor),
        IValue::Tuple(values) | IValue::GenericList(values) => values.into_iter().find_map(output_tensor),
        IValue::TensorList(tensors) => tensors.into_iter().next(),
        // torchvision's segmentation networks: «out», and «aux» while training.
        IValue::GenericDict(pairs) => pairs
            .into_iter()
            .find(|(key, _)| *key == IValue::String("out".into()))
            .and_then(|(_, value)| output_tensor(value)),
        _ => None,
    }
}

/// In half precision, cut off at its ends, where it is.
fn to_half(output: &Tensor) -> Result<Tensor, TchError> {
    let max = f16::MAX.to_f64();
    output.f_to_kind(Kind::Float)?.f_clamp(-max, max)?.f_to_kind(Kind::Half)
}

/// All values in order.
fn read_f16(half: &Tensor) -> Result<Vec<f16>, TchError> {
    let half = half.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let mut values = vec![f16::ZERO; half.numel()];
    let count = values.len();
    half.f_copy_data(&mut values, count)?;
    Ok(values)
}
