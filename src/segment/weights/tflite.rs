//! A TFLite file as a list of operators over tensors, its quantised constants as floats.
//!
//! The numbers of slots, operators and types are those of TensorFlow's `schema.fbs`. Only
//! what our networks use is known; anything else is named in the error.

use half::f16;

use super::flatbuffer::Table;
use super::{Malformed, Values};

/// More tensors or operators than any network we can use.
const MAX_ITEMS: usize = 10_000;

#[derive(Debug)]
pub struct Graph<'a> {
    pub tensors: Vec<Tensor<'a>>,
    /// In an order in which each one's inputs are made before it.
    pub nodes: Vec<Node>,
    pub input: usize,
    pub output: usize,
    /// For each tensor the node that makes it, if one does.
    makers: Vec<Option<usize>>,
}

#[derive(Debug)]
pub struct Tensor<'a> {
    pub name: String,
    /// Pictures are `[batch, height, width, channels]`.
    pub shape: Vec<usize>,
    kind: u8,
    /// Empty where the tensor is computed.
    data: &'a [u8],
    /// `real = scale · (stored − zero_point)`, one pair for all or one for each index of `axis`.
    scale: Vec<f32>,
    zero_point: Vec<i64>,
    axis: usize,
}

#[derive(Debug)]
pub struct Node {
    pub operator: Operator,
    pub inputs: Vec<usize>,
    pub output: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operator {
    /// Weights `[out, height, width, in]`, or `[1, height, width, channels]` depthwise.
    Convolution {
        depthwise: bool,
        same_padding: bool,
        stride: [usize; 2],
        dilation: [usize; 2],
        activation: Activation,
    },
    /// MediaPipe's `Convolution2DTransposeBias`; weights `[out, height, width, in]`.
    TransposedConvolution {
        stride: [usize; 2],
    },
    AveragePool {
        window: [usize; 2],
    },
    ResizeBilinear {
        grid: Grid,
    },
    Concatenation {
        axis: i32,
        activation: Activation,
    },
    Add(Activation),
    Multiply(Activation),
    Relu,
    HardSwish,
    Logistic,
    /// Between number formats: nothing to do on floats.
    Convert,
    ArgMax,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    None,
    Relu,
    Relu6,
}

/// Where a bilinear resize takes its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    AlignCorners,
    HalfPixel,
    /// TensorFlow 1's default: output x reads input `x · in / out`.
    Asymmetric,
}

impl<'a> Graph<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.get(4..8) != Some(b"TFL3") {
            return Err(Malformed::new("this is not a TFLite file: it lacks the mark TFL3"));
        }
        let model = Table::root(bytes)?;
        let buffers = model.tables(4)?.iter().map(|buffer| buffer.bytes(0)).collect::<Result<Vec<_>, _>>()?;
        let codes = model.tables(1)?;
        let [graph] = model.tables(2)?[..] else {
            return Err(Malformed::new("it does not hold exactly one graph"));
        };
        let tables = graph.tables(0)?;
        let operators = graph.tables(3)?;
        if tables.len().max(operators.len()) > MAX_ITEMS {
            return Err(Malformed::new("its graph is larger than any network we know"));
        }
        let tensors =
            tables.iter().map(|table| Tensor::read(table, &buffers)).collect::<Result<Vec<_>, _>>()?;
        let index = |index: i32| {
            usize::try_from(index)
                .ok()
                .filter(|&index| index < tensors.len())
                .ok_or_else(|| Malformed::new(format!("it names tensor {index}, which it does not have")))
        };
        let only = |indices: Vec<i32>, what: &str| match indices[..] {
            [one] => index(one),
            _ => Err(Malformed::new(format!("{what} has {} tensors where one is expected", indices.len()))),
        };
        let nodes = operators
            .iter()
            .map(|operator| {
                let code = codes
                    .get(operator.u32(0)? as usize)
                    .ok_or_else(|| Malformed::new("an operator has no code"))?;
                Ok(Node {
                    operator: Operator::read(code, operator)?,
                    // −1 stands for an input that is left out.
                    inputs: operator
                        .i32s(1)?
                        .into_iter()
                        .filter(|&i| i != -1)
                        .map(index)
                        .collect::<Result<_, _>>()?,
                    output: only(operator.i32s(2)?, "an operator's output")?,
                })
            })
            .collect::<Result<Vec<_>, Malformed>>()?;
        let input = only(graph.i32s(1)?, "the graph's input")?;
        let output = only(graph.i32s(2)?, "the graph's output")?;
        let makers = order(&tensors, &nodes, input)?;
        Ok(Self { tensors, nodes, input, output, makers })
    }

    /// The operator that makes `tensor`, if one does.
    pub fn maker(&self, tensor: usize) -> Option<&Node> {
        self.makers[tensor].map(|node| &self.nodes[node])
    }

    /// The stored tensor behind `tensor`: itself, or what it is converted from. `None` where
    /// it depends on the input.
    pub fn constant(&self, tensor: usize) -> Option<&Tensor<'a>> {
        let stored = match self.maker(tensor) {
            Some(Node { operator: Operator::Convert, inputs, .. }) => *inputs.first()?,
            Some(_) => return None,
            None => tensor,
        };
        Some(&self.tensors[stored]).filter(|tensor| tensor.is_constant())
    }
}

/// The maker of each tensor. Checks that no operator uses what is made after it, so that
/// following makers always comes to an end.
fn order(tensors: &[Tensor<'_>], nodes: &[Node], input: usize) -> Result<Vec<Option<usize>>, Malformed> {
    let mut makers = vec![None; tensors.len()];
    for (i, node) in nodes.iter().enumerate() {
        let is_there = |&input_of: &usize| {
            input_of == input || tensors[input_of].is_constant() || makers[input_of].is_some()
        };
        if !node.inputs.iter().all(is_there) {
            return Err(Malformed::new("an operator uses a tensor before it is made"));
        }
        if node.output == input || tensors[node.output].is_constant() || makers[node.output].is_some() {
            return Err(Malformed::new("two operators make the same tensor"));
        }
        makers[node.output] = Some(i);
    }
    Ok(makers)
}

impl<'a> Tensor<'a> {
    fn read(table: &Table<'a>, buffers: &[&'a [u8]]) -> Result<Self, Malformed> {
        let shape = table
            .i32s(0)?
            .into_iter()
            .map(usize::try_from)
            .collect::<Result<_, _>>()
            .map_err(|_| Malformed::new("a tensor has a negative side"))?;
        let data = buffers
            .get(table.u32(2)? as usize)
            .ok_or_else(|| Malformed::new("a tensor names a buffer that is not there"))?;
        let quantization = table.table(4)?;
        let (scale, zero_point, axis) = match quantization {
            Some(table) => (table.f32s(2)?, table.i64s(3)?, table.i32_or(6, 0)?),
            None => (Vec::new(), Vec::new(), 0),
        };
        Ok(Self {
            name: table.string(3)?,
            shape,
            kind: table.u8(1)?,
            data,
            scale,
            zero_point,
            axis: usize::try_from(axis)
                .map_err(|_| Malformed::new("a tensor is quantised along a negative axis"))?,
        })
    }

    fn is_constant(&self) -> bool {
        !self.data.is_empty()
    }

    /// `(scale, zero point)` where one pair holds for the whole tensor.
    pub fn quantization(&self) -> Option<(f32, i64)> {
        match (&self.scale[..], &self.zero_point[..]) {
            (&[scale], &[zero_point]) => Some((scale, zero_point)),
            _ => None,
        }
    }

    /// A constant's real values.
    pub fn values(&self) -> Result<Values, Malformed> {
        let fail = |cause: &str| Malformed::new(format!("tensor «{}» {cause}", self.name));
        let stored: Vec<f64> = match self.kind {
            FLOAT32 => read_all(self.data, |bytes| f64::from(f32::from_le_bytes(bytes))),
            FLOAT16 => read_all(self.data, |bytes| f64::from(f16::from_le_bytes(bytes))),
            INT32 => read_all(self.data, |bytes| f64::from(i32::from_le_bytes(bytes))),
            UINT8 => read_all(self.data, |bytes| f64::from(u8::from_le_bytes(bytes))),
            INT8 => read_all(self.data, |bytes| f64::from(i8::from_le_bytes(bytes))),
            kind => return Err(fail(&format!("has number format {kind}, which is not one we read"))),
        };
        let count = self.shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
        if count != Some(stored.len()) {
            return Err(fail("does not hold as many numbers as its shape says"));
        }
        let groups = self.scale.len();
        let data = if groups == 0 {
            stored.iter().map(|&value| value as f32).collect()
        } else {
            if self.zero_point.len() != groups || groups > 1 && self.shape.get(self.axis) != Some(&groups) {
                return Err(fail("has scales that do not fit its shape"));
            }
            // Values that lie next to each other and share a scale.
            let run: usize =
                if groups == 1 { stored.len() } else { self.shape[self.axis + 1..].iter().product() };
            let real = |(i, &value): (usize, &f64)| {
                let group = i / run.max(1) % groups;
                (f64::from(self.scale[group]) * (value - self.zero_point[group] as f64)) as f32
            };
            stored.iter().enumerate().map(real).collect()
        };
        Ok(Values { shape: self.shape.clone(), data })
    }
}

const FLOAT32: u8 = 0;
const FLOAT16: u8 = 1;
const INT32: u8 = 2;
const UINT8: u8 = 3;
const INT8: u8 = 9;

fn read_all<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|&chunk| read(chunk)).collect()
}

impl Operator {
    fn read(code: &Table<'_>, operator: &Table<'_>) -> Result<Self, Malformed> {
        // Files from before the 128th operator keep the number in a byte of its own.
        let number = code.i32_or(3, 0)?.max(i32::from(code.u8(0)?));
        // Without options all fields have their defaults.
        let options = operator.table(4)?;
        let byte = |slot: usize| options.map_or(Ok(0), |options| options.u8(slot));
        let pair = |height: usize, width: usize| {
            let side = |slot: usize| {
                let side = options.map_or(Ok(1), |options| options.i32_or(slot, 1))?;
                usize::try_from(side).ok().filter(|&side| side > 0 && side < 1 << 15).ok_or_else(|| {
                    Malformed::new(format!("an operator has a stride, window or dilation of {side}"))
                })
            };
            Ok::<_, Malformed>([side(height)?, side(width)?])
        };
        let activation = |slot: usize| match byte(slot)? {
            0 => Ok(Activation::None),
            1 => Ok(Activation::Relu),
            3 => Ok(Activation::Relu6),
            other => Err(Malformed::new(format!("its activation number {other} is not one we translate"))),
        };
        Ok(match number {
            0 => Self::Add(activation(0)?),
            1 => Self::AveragePool { window: pair(4, 3)? },
            2 => Self::Concatenation {
                axis: options.map_or(Ok(0), |options| options.i32_or(0, 0))?,
                activation: activation(1)?,
            },
            3 => Self::Convolution {
                depthwise: false,
                same_padding: byte(0)? == 0,
                stride: pair(2, 1)?,
                dilation: pair(5, 4)?,
                activation: activation(3)?,
            },
            4 => Self::Convolution {
                depthwise: true,
                same_padding: byte(0)? == 0,
                stride: pair(2, 1)?,
                dilation: pair(6, 5)?,
                activation: activation(4)?,
            },
            6 | 114 => Self::Convert,
            14 => Self::Logistic,
            18 => Self::Multiply(activation(0)?),
            19 => Self::Relu,
            23 => Self::ResizeBilinear {
                grid: match (byte(2)? != 0, byte(3)? != 0) {
                    (true, _) => Grid::AlignCorners,
                    (false, true) => Grid::HalfPixel,
                    (false, false) => Grid::Asymmetric,
                },
            },
            56 => Self::ArgMax,
            117 => Self::HardSwish,
            32 if code.string(1)? == "Convolution2DTransposeBias" => {
                // A C struct: padding, stride in x, stride in y.
                let fields: Vec<i32> =
                    operator.bytes(5)?.as_chunks().0.iter().map(|&field| i32::from_le_bytes(field)).collect();
                let &[_, x, y] = fields.as_slice() else {
                    return Err(Malformed::new("a transposed convolution lacks its strides"));
                };
                let side = |side: i32| {
                    usize::try_from(side).ok().filter(|&side| side > 0 && side < 1 << 15).ok_or_else(|| {
                        Malformed::new(format!("a transposed convolution has a stride of {side}"))
                    })
                };
                Self::TransposedConvolution { stride: [side(y)?, side(x)?] }
            }
            32 => {
                return Err(Malformed::new(format!(
                    "its operator «{}» is not one we translate",
                    code.string(1)?
                )));
            }
            other => {
                return Err(Malformed::new(format!("its operator number {other} is not one we translate")));
            }
        })
    }
}
