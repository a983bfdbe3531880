//! From weights to a TorchScript network: the pieces that converters share.
//!
//! A network is run once on an example while torch writes down the operators. Weights become
//! constants of that trace, so the file needs no code beside it and nothing is left to fold.
//! Batch norm is folded into the convolutions here, in f64 and one value at a time, so that
//! the same weights give the same file on every machine.

use tch::{CModule, Kind, TchError, Tensor};

use crate::weights::{Malformed, Values};

/// Why weights could not be made a network.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    #[error(transparent)]
    Weights(#[from] Malformed),
    #[error("torch refused: {}", first_line(.0))]
    Torch(#[from] TchError),
}

/// What torch says without the stack of C++ functions that it adds.
pub(super) fn first_line(error: &TchError) -> String {
    let text = match error {
        TchError::Torch(text) => text.clone(),
        other => other.to_string(),
    };
    // TorchScript's own errors name the cause in the last line, after the traceback.
    let is_cause = |line: &&str| line.contains("Error: ");
    let line = text.lines().rfind(is_cause).or_else(|| text.lines().find(|line| !line.trim().is_empty()));
    line.unwrap_or("no reason given").trim().to_owned()
}

/// Runs `forward` on a picture of noise, `[1, 3, height, width]`, and keeps what it did.
pub(super) fn trace(
    name: &str,
    [height, width]: [i64; 2],
    forward: impl Fn(&Tensor) -> Result<Tensor, TchError>,
) -> Result<CModule, ConvertError> {
    tch::no_grad(|| {
        let example =
            channels_last(&Tensor::f_rand([1, 3, height, width], (Kind::Float, tch::Device::Cpu))?)?;
        // torch's own structures don't unwind: a failure is carried past the end of the trace.
        let mut failure = None;
        let module = CModule::create_by_tracing(name, "forward", &[example], &mut |inputs| {
            vec![forward(&inputs[0]).unwrap_or_else(|error| {
                failure = Some(error);
                inputs[0].shallow_clone()
            })]
        });
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(module?),
        }
    })
}

/// The same values of `[n, c, h, w]` with the channels next to each other in memory, the
/// layout in which convolutions are fastest.
pub(super) fn channels_last(tensor: &Tensor) -> Result<Tensor, TchError> {
    tensor.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])
}

pub(super) fn tensor(values: &Values) -> Result<Tensor, TchError> {
    let shape: Vec<i64> = values.shape.iter().map(|&side| side as i64).collect();
    Tensor::f_from_slice(&values.data)?.f_view(&shape[..])
}

/// `y = (x − mean) / √(var + ε) · weight + bias`, one value of each for a channel.
pub(super) struct BatchNorm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub mean: Vec<f32>,
    pub var: Vec<f32>,
}

impl BatchNorm {
    /// torch's default, which torchvision's networks use.
    const EPSILON: f64 = 1e-5;

    /// Folds the norm into the convolution before it, whose weights are `[out, …]`: scales
    /// them in place and returns the bias. The caller has checked that there are `out`
    /// values of each kind.
    pub fn fold_into(&self, weight: &mut Values) -> Vec<f32> {
        let per_channel = weight.data.len() / self.weight.len().max(1);
        let mut bias = Vec::with_capacity(self.weight.len());
        for (channel, values) in weight.data.chunks_mut(per_channel.max(1)).enumerate() {
            let scale =
                f64::from(self.weight[channel]) / (f64::from(self.var[channel]) + Self::EPSILON).sqrt();
            for value in values {
                *value = (f64::from(*value) * scale) as f32;
            }
            bias.push((f64::from(self.bias[channel]) - f64::from(self.mean[channel]) * scale) as f32);
        }
        bias
    }
}

/// A convolution with all that torch must be told of it.
pub(super) struct Convolution {
    weight: Tensor,
    bias: Option<Tensor>,
    pub stride: [i64; 2],
    pub padding: [i64; 2],
    pub dilation: [i64; 2],
    pub groups: i64,
}

impl Convolution {
    /// Weights are `[out, in / groups, height, width]`; stride 1, no padding.
    pub fn new(weight: &Values, bias: Option<&[f32]>) -> Result<Self, TchError> {
        Ok(Self {
            weight: channels_last(&tensor(weight)?)?,
            bias: bias.map(Tensor::f_from_slice).transpose()?,
            stride: [1; 2],
            padding: [0; 2],
            dilation: [1; 2],
            groups: 1,
        })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        x.f_conv2d(&self.weight, self.bias.as_ref(), self.stride, self.padding, self.dilation, self.groups)
    }

    pub fn forward_relu(&self, x: &Tensor) -> Result<Tensor, TchError> {
        self.forward(x)?.f_relu_()
    }
}
