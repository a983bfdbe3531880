//! A TFLite graph as a TorchScript network, in floats.
//!
//! A quantised graph also rounds each result to 256 levels and cuts it off at their ends.
//! Neither is imitated: cutting off changed no class map by as much as 0.01 % and costs time.
//!
//! The translation ends at the logits: what follows them in the file (scaling up, arg-max,
//! sigmoid) is the program's own work, and is returned as a description instead. Padding that
//! is even on both sides is left to the convolution and holds for every size that keeps it
//! even (for DeepLab's strides, sides of `16 k + 1`).

use std::path::Path;

use tch::{TchError, Tensor};

use super::trace::{ConvertError, Convolution, channels_last, tensor, trace};
use crate::weights::tflite::{Activation, Graph, Grid, Node, Operator};
use crate::weights::{Malformed, Values};

/// Longer than any side of a picture or a map that our networks have.
const MAX_SIDE: usize = 4096;

/// What the file says of the network besides its layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    pub classes: usize,
    /// Height and width that the file was made for.
    pub input: [usize; 2],
    pub output: [usize; 2],
    /// How the file scales its logits up, where it does.
    pub grid: Option<Grid>,
    /// Whether a sigmoid follows the logits.
    pub sigmoid: bool,
    /// Of the input, in units where a picture's bytes are 0 to 1.
    pub mean: f32,
    pub std: f32,
}

/// Writes the network in `graph` to `to`.
pub fn convert(graph: &Graph<'_>, to: &Path) -> Result<Description, ConvertError> {
    let (logits, description) = describe(graph)?;
    let mut layers = Vec::new();
    for node in &graph.nodes {
        if graph.constant(node.output).is_none() {
            layers.push(Layer::new(graph, node)?);
        }
        if node.output == logits {
            break;
        }
    }
    let forward = |x: &Tensor| {
        let mut values: Vec<Option<Tensor>> = graph.tensors.iter().map(|_| None).collect();
        values[graph.input] = Some(x.shallow_clone());
        for layer in &layers {
            values[layer.output] = Some(layer.forward(&values)?);
        }
        values[logits].take().ok_or_else(|| missing(logits))
    };
    let [height, width] = description.input.map(|side| side as i64);
    trace("FromTflite", [height, width], forward)?.save(to)?;
    Ok(description)
}

/// Walks back from the output over what the program does itself, to the logits.
fn describe(graph: &Graph<'_>) -> Result<(usize, Description), Malformed> {
    let (mut logits, mut grid, mut sigmoid) = (graph.output, None, false);
    while let Some(node) = graph.maker(logits) {
        match node.operator {
            Operator::ArgMax | Operator::Convert => {}
            Operator::Logistic => sigmoid = true,
            Operator::ResizeBilinear { grid: found } => grid = Some(found),
            _ => break,
        }
        logits = *node.inputs.first().ok_or_else(|| Malformed::new("an operator has no input"))?;
    }
    let picture = |index: usize, what: &str| match graph.tensors[index].shape[..] {
        [1, height, width, channels]
            if [height, width, channels].iter().all(|side| (1..=MAX_SIDE).contains(side)) =>
        {
            Ok((height, width, channels))
        }
        ref shape => Err(Malformed::new(format!(
            "its {what} is {shape:?} where [1, height, width, channels] is expected"
        ))),
    };
    let (height, width, channels) = picture(graph.input, "input")?;
    if channels != 3 {
        return Err(Malformed::new(format!("its input has {channels} channels where 3 are expected")));
    }
    let (out_height, out_width, classes) = picture(logits, "output")?;
    // A quantised input takes the picture's bytes as they are: (byte − zero) · scale. A float
    // input of TFLite's networks takes them as 0 to 1.
    let (mean, std) = match graph.tensors[graph.input].quantization() {
        Some((scale, zero)) => (zero as f32 / 255.0, 1.0 / (255.0 * scale)),
        None => (0.0, 1.0),
    };
    if !(mean.is_finite() && std.is_finite() && std > 0.0) {
        return Err(Malformed::new("its input's scale is not a number"));
    }
    let description = Description {
        classes,
        input: [height, width],
        output: [out_height, out_width],
        grid,
        sigmoid,
        mean,
        std,
    };
    Ok((logits, description))
}

struct Layer {
    kind: LayerKind,
    activation: Activation,
    inputs: Vec<usize>,
    output: usize,
}

enum LayerKind {
    Convolution {
        pad: Option<[i64; 4]>,
        convolution: Convolution,
    },
    TransposedConvolution {
        weight: Tensor,
        bias: Tensor,
        stride: [i64; 2],
    },
    Mean,
    /// A resize of a 1×1 map: the value everywhere, left as it is.
    Spread,
    Resize {
        size: [i64; 2],
        align_corners: bool,
    },
    Concatenation,
    Add,
    Multiply,
    Relu,
    HardSwish,
    Logistic,
    Same,
}

impl Layer {
    fn new(graph: &Graph<'_>, node: &Node) -> Result<Self, ConvertError> {
        let computed: Vec<usize> =
            node.inputs.iter().copied().filter(|&input| graph.constant(input).is_none()).collect();
        let shape = |index: usize| match graph.tensors[index].shape[..] {
            [_, height, width, _] if height.max(width) <= MAX_SIDE => Ok([height, width]),
            _ => Err(Malformed::new(format!("tensor «{}» is not a picture", graph.tensors[index].name))),
        };
        let first = *node.inputs.first().ok_or_else(|| Malformed::new("an operator has no input"))?;
        let needed = match node.operator {
            Operator::Add(_) | Operator::Multiply(_) => 2,
            Operator::Concatenation { .. } => node.inputs.len(),
            _ => 1,
        };
        if computed.len() != needed {
            return Err(
                Malformed::new(format!("an operator ({:?}) works on a constant", node.operator)).into()
            );
        }
        let mut fused = Activation::None;
        let kind = match node.operator {
            Operator::Convolution { depthwise, same_padding, stride, dilation, activation } => {
                fused = activation;
                let (weight, bias) = weights(graph, node)?;
                let (weight, groups) = if depthwise {
                    (transposed(&weight, [3, 0, 1, 2])?, weight.shape[3])
                } else {
                    (transposed(&weight, [0, 3, 1, 2])?, 1)
                };
                let kernel = [weight.shape[2], weight.shape[3]];
                let mut convolution = Convolution::new(&weight, Some(&bias.data))?;
                convolution.stride = stride.map(|side| side as i64);
                convolution.dilation = dilation.map(|side| side as i64);
                convolution.groups = groups as i64;
                let mut pad = None;
                if same_padding {
                    let (input, output) = (shape(first)?, shape(node.output)?);
                    if [0, 1].iter().any(|&axis| {
                        stride[axis] * output[axis] > 2 * MAX_SIDE || kernel[axis] * dilation[axis] > MAX_SIDE
                    }) {
                        return Err(Malformed::new("a convolution reaches far beyond its picture").into());
                    }
                    let [y, x] = [0, 1].map(|axis| {
                        same(input[axis], output[axis], kernel[axis], stride[axis], dilation[axis])
                    });
                    if y[0] == y[1] && x[0] == x[1] {
                        convolution.padding = [y[0], x[0]];
                    } else {
                        pad = Some([x[0], x[1], y[0], y[1]]);
                    }
                }
                LayerKind::Convolution { pad, convolution }
            }
            Operator::TransposedConvolution { stride } => {
                let (weight, bias) = weights(graph, node)?;
                if weight.shape[1..3] != stride {
                    return Err(Malformed::new(
                        "a transposed convolution's windows overlap, which we do not translate",
                    )
                    .into());
                }
                LayerKind::TransposedConvolution {
                    weight: channels_last(&tensor(&transposed(&weight, [3, 0, 1, 2])?)?)?,
                    bias: Tensor::f_from_slice(&bias.data)?,
                    stride: stride.map(|side| side as i64),
                }
            }
            Operator::AveragePool { window } => {
                if window != shape(first)? {
                    return Err(Malformed::new(
                        "it averages over a part of the picture, which we do not translate",
                    )
                    .into());
                }
                LayerKind::Mean
            }
            Operator::ResizeBilinear { grid } => match (shape(first)?, grid) {
                ([1, 1], _) => LayerKind::Spread,
                (_, Grid::Asymmetric) => {
                    return Err(Malformed::new(
                        "it resizes by TensorFlow 1's uneven grid, which torch does not have",
                    )
                    .into());
                }
                (_, grid) => LayerKind::Resize {
                    size: shape(node.output)?.map(|side| side as i64),
                    align_corners: grid == Grid::AlignCorners,
                },
            },
            Operator::Concatenation { axis, activation } => {
                fused = activation;
                if axis != 3 && axis != -1 {
                    return Err(Malformed::new("it joins maps along another axis than the channels").into());
                }
                LayerKind::Concatenation
            }
            Operator::Add(activation) => {
                fused = activation;
                LayerKind::Add
            }
            Operator::Multiply(activation) => {
                fused = activation;
                LayerKind::Multiply
            }
            Operator::Relu => LayerKind::Relu,
            Operator::HardSwish => LayerKind::HardSwish,
            Operator::Logistic => LayerKind::Logistic,
            Operator::Convert => LayerKind::Same,
            Operator::ArgMax => return Err(Malformed::new("it takes an arg-max before its end").into()),
        };
        Ok(Self { kind, activation: fused, inputs: computed, output: node.output })
    }

    fn forward(&self, values: &[Option<Tensor>]) -> Result<Tensor, TchError> {
        let input = |i: usize| {
            let index = self.inputs[i];
            values[index].as_ref().ok_or_else(|| missing(index))
        };
        let mut y = match &self.kind {
            LayerKind::Same | LayerKind::Spread => return Ok(input(0)?.shallow_clone()),
            LayerKind::Convolution { pad: None, convolution } => convolution.forward(input(0)?)?,
            LayerKind::Convolution { pad: Some(pad), convolution } => {
                convolution.forward(&input(0)?.f_constant_pad_nd(pad)?)?
            }
            LayerKind::TransposedConvolution { weight, bias, stride } => {
                input(0)?.f_conv_transpose2d(weight, Some(bias), stride, [0, 0], [0, 0], 1, [1, 1])?
            }
            LayerKind::Mean => return input(0)?.f_mean_dim(&[2i64, 3][..], true, None),
            LayerKind::Resize { size, align_corners } => {
                return input(0)?.f_upsample_bilinear2d(size, *align_corners, None, None);
            }
            LayerKind::Concatenation => {
                let maps = (0..self.inputs.len()).map(input).collect::<Result<Vec<_>, _>>()?;
                join(&maps)?
            }
            LayerKind::Add => input(0)?.f_add(input(1)?)?,
            LayerKind::Multiply => input(0)?.f_mul(input(1)?)?,
            LayerKind::Relu => input(0)?.f_relu()?,
            LayerKind::HardSwish => input(0)?.f_hardswish()?,
            LayerKind::Logistic => input(0)?.f_sigmoid()?,
        };
        match self.activation {
            Activation::None => Ok(y),
            Activation::Relu => y.f_relu_(),
            Activation::Relu6 => y.f_clamp_(0.0, 6.0),
        }
    }
}

/// Joins maps along the channels. 1×1 maps among larger ones stand for their value everywhere.
fn join(maps: &[&Tensor]) -> Result<Tensor, TchError> {
    let is_point = |map: &Tensor| map.size()[2..] == [1, 1];
    let mut extent = None;
    for &map in maps {
        if !is_point(map) {
            extent = Some(map.f_narrow(1, 0, 1)?.f_zeros_like()?);
        }
    }
    let spread = maps
        .iter()
        .map(|map| match &extent {
            Some(zeros) if is_point(map) => map.f_add(zeros),
            _ => Ok(map.shallow_clone()),
        })
        .collect::<Result<Vec<_>, TchError>>()?;
    Tensor::f_cat(&spread, 1)
}

/// The real weights and bias of a convolution, through a conversion where there is one.
fn weights(graph: &Graph<'_>, node: &Node) -> Result<(Values, Values), Malformed> {
    let constant = |input: usize| {
        let &index = node
            .inputs
            .get(input)
            .ok_or_else(|| Malformed::new("a convolution lacks its weights or bias"))?;
        graph
            .constant(index)
            .ok_or_else(|| Malformed::new("a convolution's weights are computed, which we do not translate"))?
            .values()
    };
    let (weight, bias) = (constant(1)?, constant(2)?);
    if weight.shape.len() != 4 || weight.data.is_empty() {
        return Err(Malformed::new(format!(
            "a convolution's weights are {:?}, not 4-dimensional",
            weight.shape
        )));
    }
    Ok((weight, bias))
}

/// The values of a 4-dimensional array with axis `order[i]` as its axis i.
fn transposed(values: &Values, order: [usize; 4]) -> Result<Values, TchError> {
    let order_i64 = order.map(|axis| axis as i64);
    let data = tensor(values)?.f_permute(order_i64)?.f_contiguous()?.f_view([-1i64])?;
    Ok(Values { shape: order.map(|axis| values.shape[axis]).to_vec(), data: Vec::try_from(&data)? })
}

/// TensorFlow's "same" padding of one axis: before and after, the odd one after.
fn same(input: usize, output: usize, kernel: usize, stride: usize, dilation: usize) -> [i64; 2] {
    let reach = (output.max(1) - 1) * stride + (kernel - 1) * dilation + 1;
    let total = reach.saturating_sub(input) as i64;
    [total / 2, total - total / 2]
}

fn missing(index: usize) -> TchError {
    TchError::Kind(format!("tensor {index} is used before it is made"))
}
