//! torchvision's DeepLabv3 with a ResNet-101, from its state dict.
//!
//! As `torchvision.models.segmentation.deeplabv3_resnet101` builds it: the last two stages
//! keep stride 8 and dilate their 3×3 convolutions instead, then atrous spatial pyramid
//! pooling with rates 12, 24 and 36 ("Rethinking Atrous Convolution for Semantic Image
//! Segmentation", Chen et al. 2017). The auxiliary head is for training and left out.
//!
//! Nothing here depends on the picture's size. The pyramid's last branch is a mean over the
//! picture that torchvision scales up again before it joins the others in a 1×1 convolution;
//! that convolution is linear, so its part of the weights is applied to the mean itself and
//! the result is added everywhere.

use std::path::Path;

use tch::{TchError, Tensor};

use super::trace::{BatchNorm, ConvertError, Convolution, trace};
use crate::weights::{Malformed, NamedTensors, Values};

/// Stages of the ResNet: blocks, stride, and the dilations of the first block and the others.
const STAGES: [(usize, i64, i64, i64); 4] = [(3, 1, 1, 1), (4, 2, 1, 1), (23, 1, 1, 2), (3, 1, 2, 4)];

const PYRAMID_RATES: [i64; 3] = [12, 24, 36];

/// Writes the network for a state dict to `to`, and returns the number of its classes.
pub fn convert(weights: &mut dyn NamedTensors, to: &Path) -> Result<usize, ConvertError> {
    let network = DeepLab::new(weights)?;
    trace("DeepLabv3ResNet101", [65, 73], |x| network.forward(x))?.save(to)?;
    Ok(network.classes)
}

struct DeepLab {
    stem: Convolution,
    blocks: Vec<Bottleneck>,
    /// The 1×1 branch and the dilated ones.
    pyramid: Vec<Convolution>,
    pooled: Convolution,
    /// The part of the projection that sees the pyramid, and the part that sees the mean.
    project: Convolution,
    project_pooled: Convolution,
    head: Convolution,
    classifier: Convolution,
    classes: usize,
}

struct Bottleneck {
    reduce: Convolution,
    spatial: Convolution,
    expand: Convolution,
    shortcut: Option<Convolution>,
}

impl DeepLab {
    fn new(weights: &mut dyn NamedTensors) -> Result<Self, ConvertError> {
        check_depth(weights)?;
        let mut layers = Layers(weights);

        let mut stem = layers.normed("backbone.conv1", "backbone.bn1", [64, 3, 7, 7])?;
        (stem.stride, stem.padding) = ([2; 2], [3; 2]);

        let mut blocks = Vec::new();
        let mut channels = 64;
        for (stage, &(count, stride, first_dilation, dilation)) in STAGES.iter().enumerate() {
            let planes = 64 << stage;
            for block in 0..count {
                let name = format!("backbone.layer{}.{block}", stage + 1);
                let (stride, dilation) = if block == 0 { (stride, first_dilation) } else { (1, dilation) };
                blocks.push(layers.bottleneck(&name, channels, planes, stride, dilation)?);
                channels = 4 * planes;
            }
        }

        let mut pyramid =
            vec![layers.normed("classifier.0.convs.0.0", "classifier.0.convs.0.1", [256, channels, 1, 1])?];
        for (i, rate) in PYRAMID_RATES.into_iter().enumerate() {
            let name = format!("classifier.0.convs.{}", i + 1);
            let mut branch =
                layers.normed(&format!("{name}.0"), &format!("{name}.1"), [256, channels, 3, 3])?;
            (branch.padding, branch.dilation) = ([rate; 2], [rate; 2]);
            pyramid.push(branch);
        }
        let pooled =
            layers.normed("classifier.0.convs.4.1", "classifier.0.convs.4.2", [256, channels, 1, 1])?;

        let (projection, bias) = layers.folded(
            "classifier.0.project.0",
            "classifier.0.project.1",
            [256, 256 * (pyramid.len() + 1), 1, 1],
        )?;
        let [seen, mean] = split_inputs(&projection, 256 * pyramid.len());
        let mut head = layers.normed("classifier.1", "classifier.2", [256, 256, 3, 3])?;
        head.padding = [1; 2];
        let (classifier, classes) = layers.classifier("classifier.4", 256)?;

        Ok(Self {
            stem,
            blocks,
            pyramid,
            pooled,
            project: Convolution::new(&seen, Some(&bias))?,
            project_pooled: Convolution::new(&mean, None)?,
            head,
            classifier,
            classes,
        })
    }

    /// `[n, 3, h, w]` to logits `[n, classes, h/8, w/8]`, rounded up.
    fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        let mut x = self.stem.forward_relu(x)?.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        let branches =
            self.pyramid.iter().map(|branch| branch.forward_relu(&x)).collect::<Result<Vec<_>, _>>()?;
        let mean = self.pooled.forward_relu(&x.f_mean_dim(&[2i64, 3][..], true, None)?)?;
        let mut x = self.project.forward(&Tensor::f_cat(&branches, 1)?)?;
        let x = x.f_add_(&self.project_pooled.forward(&mean)?)?.f_relu_()?;
        self.classifier.forward(&self.head.forward_relu(&x)?)
    }
}

impl Bottleneck {
    fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        let mut y = self.expand.forward(&self.spatial.forward_relu(&self.reduce.forward_relu(x)?)?)?;
        match &self.shortcut {
            Some(shortcut) => y.f_add_(&shortcut.forward(x)?)?,
            None => y.f_add_(x)?,
        }
        .f_relu_()
    }
}

/// Layers by their names in torchvision's state dict.
struct Layers<'a>(&'a mut dyn NamedTensors);

impl Layers<'_> {
    fn bottleneck(
        &mut self,
        name: &str,
        channels: usize,
        planes: usize,
        stride: i64,
        dilation: i64,
    ) -> Result<Bottleneck, ConvertError> {
        let mut layer = |conv: &str, norm: &str, shape| {
            self.normed(&format!("{name}.{conv}"), &format!("{name}.{norm}"), shape)
        };
        let reduce = layer("conv1", "bn1", [planes, channels, 1, 1])?;
        let mut spatial = layer("conv2", "bn2", [planes, planes, 3, 3])?;
        (spatial.stride, spatial.padding, spatial.dilation) = ([stride; 2], [dilation; 2], [dilation; 2]);
        let expand = layer("conv3", "bn3", [4 * planes, planes, 1, 1])?;
        let shortcut = if channels == 4 * planes {
            None
        } else {
            let mut shortcut = layer("downsample.0", "downsample.1", [4 * planes, channels, 1, 1])?;
            shortcut.stride = [stride; 2];
            Some(shortcut)
        };
        Ok(Bottleneck { reduce, spatial, expand, shortcut })
    }

    fn normed(&mut self, conv: &str, norm: &str, shape: [usize; 4]) -> Result<Convolution, ConvertError> {
        let (weight, bias) = self.folded(conv, norm, shape)?;
        Ok(Convolution::new(&weight, Some(&bias))?)
    }

    fn folded(
        &mut self,
        conv: &str,
        norm: &str,
        shape: [usize; 4],
    ) -> Result<(Values, Vec<f32>), ConvertError> {
        let mut weight = self.shaped(&format!("{conv}.weight"), &shape)?;
        let mut vector =
            |name: &str| Ok::<_, Malformed>(self.shaped(&format!("{norm}.{name}"), &shape[..1])?.data);
        let norm = BatchNorm {
            weight: vector("weight")?,
            bias: vector("bias")?,
            mean: vector("running_mean")?,
            var: vector("running_var")?,
        };
        let bias = norm.fold_into(&mut weight);
        Ok((weight, bias))
    }

    fn classifier(&mut self, name: &str, channels: usize) -> Result<(Convolution, usize), ConvertError> {
        let weight_name = format!("{name}.weight");
        let classes = self.0.shape(&weight_name).and_then(|shape| shape.first().copied()).unwrap_or(0);
        let weight = self.shaped(&weight_name, &[classes, channels, 1, 1])?;
        let bias = self.shaped(&format!("{name}.bias"), &[classes])?.data;
        Ok((Convolution::new(&weight, Some(&bias))?, classes))
    }

    fn shaped(&mut self, name: &str, shape: &[usize]) -> Result<Values, Malformed> {
        match self.0.shape(name) {
            Some(found) if found == shape => self.0.values(name),
            Some(found) => Err(Malformed::new(format!(
                "it is not a DeepLabv3 with a ResNet-101: {name} is {found:?} where {shape:?} is expected"
            ))),
            None => Err(Malformed::new(format!("it is not a DeepLabv3 with a ResNet-101: it lacks {name}"))),
        }
    }
}

fn check_depth(weights: &dyn NamedTensors) -> Result<(), Malformed> {
    let blocks =
        (0..).take_while(|i| weights.shape(&format!("backbone.layer3.{i}.conv1.weight")).is_some()).count();
    match blocks {
        23 => Ok(()),
        0 => Err(Malformed::new(
            "it is not a DeepLabv3 with a ResNet-101: it lacks backbone.layer3.0.conv1.weight",
        )),
        blocks => Err(Malformed::new(format!(
            "it is a DeepLabv3 with another ResNet: its third stage has {blocks} blocks where a ResNet-101 has 23"
        ))),
    }
}

/// The columns of a 1×1 convolution's weights `[out, in, 1, 1]` before `at`, and from it on.
fn split_inputs(weight: &Values, at: usize) -> [Values; 2] {
    let inputs = weight.shape[1];
    let part = |range: std::ops::Range<usize>| Values {
        shape: vec![weight.shape[0], range.len(), 1, 1],
        data: weight.data.chunks(inputs).flat_map(|row| row[range.clone()].iter().copied()).collect(),
    };
    [part(0..at), part(at..inputs)]
}
