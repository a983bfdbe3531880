//! Networks made here by tracing, and results of torchvision and of the TFLite interpreter
//! (see `make_*.py` beside the fixtures).

use std::collections::HashMap;
use std::path::PathBuf;

use proptest::prelude::*;
use serde::Deserialize;
use tempfile::TempDir;

use super::trace::trace;
use super::*;
use crate::weights::{Malformed, NamedTensors, Values};
use crate::{Activation, InputSize, Upsampling};
use base::frame::Timestamp;

const TINY: &[u8] = include_bytes!("../../../tests/fixtures/segment/tiny.tflite");
const TINY_GOLDEN: &str = include_str!("../../../tests/fixtures/segment/tiny.json");
const DEEPLAB_GOLDEN: &str = include_str!("../../../tests/fixtures/segment/deeplab.json");
const DICT_OUTPUT: &[u8] = include_bytes!("../../../tests/fixtures/segment/dict_output.pt");

fn manifest(classes: usize, input: InputSize, output_stride: u32) -> Manifest {
    Manifest {
        name: "test".into(),
        classes: (0..classes).map(|class| format!("class {class}")).collect(),
        input,
        mean: [0.0; 3],
        std: [1.0; 3],
        activation: Activation::None,
        upsampling: Upsampling::HalfPixel,
        output_stride,
        sha256: String::new(),
        licence: String::new(),
        source: String::new(),
        torch_version: String::new(),
    }
}

const ANY_SIZE: InputSize = InputSize::LongSide { long_side: 160, multiple: 8, offset: 0 };

/// Tried at three sizes, on one thread of the CPU.
fn load(pt: &Path, manifest: Manifest) -> Result<TorchScript, SegmentError> {
    TorchScript::load(pt, manifest, ON_CPU, true)
}

const ON_CPU: LoadOptions = LoadOptions { device: crate::Device::Cpu, threads: 1 };

/// The picture that the fixtures' Python makes too.
fn picture(size: FrameSize) -> Frame {
    let rgb = (0..3 * size.pixels()).map(|i| (i * 7919 % 251) as u8).collect();
    Frame::new(FrameIndex::new(3), Timestamp::default(), size, rgb)
}

fn traced(forward: impl Fn(&Tensor) -> Result<Tensor, TchError>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let pt = folder.path().join("net.pt");
    trace("Test", [32, 48], forward).unwrap().save(&pt).unwrap();
    (folder, pt)
}

fn load_error(pt: &Path, manifest: Manifest) -> String {
    load(pt, manifest).err().expect("this network must not load").to_string()
}

#[test]
fn a_picture_reaches_the_network_as_its_manifest_says() {
    let (_folder, pt) = traced(|x| x.f_mul_scalar(1.0));
    let mut manifest = manifest(3, ANY_SIZE, 1);
    (manifest.mean, manifest.std) = ([0.5, 0.25, 0.0], [0.5, 0.25, 2.0]);
    let mut network = load(&pt, manifest).unwrap();
    // Three flat frames, larger than the network's input, of 160×80 each.
    let size = FrameSize::new(320, 160).unwrap();
    let colours = [[0u8, 0, 0], [255, 255, 255], [51, 102, 204]];
    let frames = colours
        .map(|colour| Frame::new(FrameIndex::ZERO, Timestamp::default(), size, colour.repeat(size.pixels())));
    let logits = network.segment(&frames.each_ref()).unwrap();
    assert_eq!(logits.len(), 3);
    for (logits, colour) in logits.iter().zip(colours) {
        assert_eq!((logits.classes, logits.height, logits.width), (3, 80, 160));
        for (channel, plane) in logits.values.chunks(80 * 160).enumerate() {
            let (mean, std) = ([0.5, 0.25, 0.0][channel], [0.5, 0.25, 2.0][channel]);
            let expected = (f64::from(colour[channel]) / 255.0 - mean) / std;
            assert!(
                plane.iter().all(|value| (value.to_f64() - expected).abs() < 2e-3),
                "{expected} {:?}",
                plane[0]
            );
        }
    }
}

#[test]
fn a_dict_with_out_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let pt = folder.path().join("net.pt");
    std::fs::write(&pt, DICT_OUTPUT).unwrap();
    let mut network = load(&pt, manifest(2, ANY_SIZE, 1)).unwrap();
    let logits = network.segment(&[&picture(FrameSize::new(160, 80).unwrap())]).unwrap().remove(0);
    let (red, minus_red) = logits.values.split_at(logits.values.len() / 2);
    assert!(red.iter().zip(minus_red).all(|(&red, &minus)| red == -minus));
}

#[test]
fn a_size_baked_into_a_trace_shows_at_load() {
    let (_folder, pt) = traced(|x| x.f_upsample_bilinear2d([32, 48], false, None, None));
    let error = load_error(&pt, manifest(3, ANY_SIZE, 1));
    assert!(error.contains("tracing baked a size in"), "{error}");
    // As a network of that size it is fine.
    let fixed = InputSize::Fixed { width: 48, height: 32 };
    assert!(load(&pt, manifest(3, fixed, 1)).is_ok());
}

#[test]
fn what_a_network_does_must_fit_its_manifest() {
    let (_folder, pt) = traced(|x| x.f_mul_scalar(1.0));
    let classes = load_error(&pt, manifest(5, ANY_SIZE, 1));
    assert!(classes.contains("for 5 classes"), "{classes}");
    let stride = load_error(&pt, manifest(3, ANY_SIZE, 8));
    assert!(stride.contains("output_stride"), "{stride}");
}

#[test]
fn a_value_that_is_not_a_number_names_the_frame() {
    let (_folder, pt) = traced(|x| x.f_log());
    let mut manifest = manifest(3, ANY_SIZE, 1);
    manifest.mean = [2.0; 3];
    let mut network = TorchScript::load(&pt, manifest, ON_CPU, false).unwrap();
    let error = network.segment(&[&picture(FrameSize::new(160, 80).unwrap())]).unwrap_err().to_string();
    assert!(error.contains("frame 3") && error.contains("not numbers"), "{error}");
}

#[test]
fn values_beyond_half_precision_are_cut_off() {
    let (_folder, pt) = traced(|x| x.f_mul_scalar(1e9));
    let mut network = load(&pt, manifest(3, ANY_SIZE, 1)).unwrap();
    let logits = network.segment(&[&picture(FrameSize::new(160, 80).unwrap())]).unwrap();
    assert!(logits[0].values.contains(&half::f16::MAX));
}

#[test]
fn what_is_not_a_network_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let pt = folder.path().join("net.pt");
    for bytes in [&b""[..], b"not a zip", &DICT_OUTPUT[..DICT_OUTPUT.len() / 2]] {
        std::fs::write(&pt, bytes).unwrap();
        let error = load_error(&pt, manifest(2, ANY_SIZE, 1));
        assert!(error.contains("net.pt") && error.contains("torch.jit"), "{error}");
    }
    load_error(&folder.path().join("missing.pt"), manifest(2, ANY_SIZE, 1));
}

#[derive(Deserialize)]
struct TinyGolden {
    logits: Vec<f32>,
}

#[test]
fn a_tflite_graph_gives_what_its_interpreter_gives() {
    let folder = tempfile::tempdir().unwrap();
    let pt = folder.path().join("tiny.pt");
    let converted = convert(WeightsFormat::Tflite, TINY, &pt).unwrap();
    let expected = ConvertedNetwork {
        classes: 3,
        output_stride: 2,
        upsampling: Upsampling::AlignCorners,
        mean_std: Some((0.0, 1.0)),
    };
    assert_eq!(converted, expected);
    let input = InputSize::LongSide { long_side: 33, multiple: 16, offset: 1 };
    let mut network = load(&pt, manifest(3, input, 2)).unwrap();
    let logits = network.segment(&[&picture(FrameSize::new(33, 33).unwrap())]).unwrap().remove(0);
    let golden: TinyGolden = serde_json::from_str(TINY_GOLDEN).unwrap();
    assert_eq!(logits.values.len(), golden.logits.len());
    let largest = golden.logits.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    for (value, expected) in logits.values.iter().zip(&golden.logits) {
        // Half precision keeps 11 bits.
        assert!((value.to_f32() - expected).abs() < largest * 1e-3, "{value} {expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_graph_is_converted_or_refused(flips in proptest::collection::vec((0..TINY.len(), 1u8..), 1..4)) {
        let mut bytes = TINY.to_vec();
        for (at, flip) in flips {
            bytes[at] ^= flip;
        }
        let folder = tempfile::tempdir().unwrap();
        let _ = convert(WeightsFormat::Tflite, &bytes, &folder.path().join("net.pt"));
    }
}

#[derive(Deserialize)]
struct DeepLabGolden {
    shapes: HashMap<String, Vec<usize>>,
    input: [usize; 2],
    output: Vec<i64>,
    logits: Vec<f32>,
}

/// Values in [−1, 1) that the fixture's Python makes too.
fn pseudo_random(name: &str, count: usize) -> Vec<f32> {
    let seed =
        name.bytes().fold(2_166_136_261u32, |seed, byte| (seed ^ u32::from(byte)).wrapping_mul(16_777_619));
    let value = |i: u32| {
        let mut x = seed ^ i.wrapping_mul(2_654_435_761);
        x = (x ^ x >> 16).wrapping_mul(0x7feb_352d);
        x = (x ^ x >> 15).wrapping_mul(0x846c_a68b);
        x ^= x >> 16;
        (x >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count as u32).map(value).collect()
}

impl NamedTensors for DeepLabGolden {
    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.shapes.get(name).map(Vec::as_slice)
    }

    fn values(&mut self, name: &str) -> Result<Values, Malformed> {
        let shape = self.shapes[name].clone();
        let mut data = pseudo_random(name, shape.iter().product());
        let scale = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt() as f32;
        for u in &mut data {
            *u = if shape.len() == 4 {
                *u * scale
            } else if name.ends_with("running_var") {
                1.25 + 0.75 * *u
            } else if name.ends_with("weight") {
                (if name.contains(".bn3.") { 0.2 } else { 1.0 }) * (1.0 + 0.5 * *u)
            } else {
                0.2 * *u
            };
        }
        Ok(Values { shape, data })
    }
}

#[test]
fn deeplab_gives_what_torchvision_gives_at_a_size_it_was_not_traced_at() {
    let mut golden: DeepLabGolden = serde_json::from_str(DEEPLAB_GOLDEN).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pt = folder.path().join("deeplab.pt");
    assert_eq!(deeplab::convert(&mut golden, &pt).unwrap(), 21);
    let [height, width] = golden.input;
    let x = Tensor::f_from_slice(&pseudo_random("picture", 3 * height * width)).unwrap();
    let x = x.f_view([1, 3, height as i64, width as i64]).unwrap();
    let output = tch::no_grad(|| CModule::load(&pt).unwrap().forward_ts(&[x]).unwrap());
    assert_eq!(output.size(), golden.output);
    let values = Vec::<f32>::try_from(output.f_reshape([-1i64]).unwrap()).unwrap();
    for (value, expected) in values.iter().zip(&golden.logits) {
        assert!((value - expected).abs() < 2e-4, "{value} {expected}");
    }
}

#[test]
fn weights_of_another_network_say_which_layer_is_wrong() {
    let mut golden: DeepLabGolden = serde_json::from_str(DEEPLAB_GOLDEN).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cause = |golden: &mut DeepLabGolden| {
        deeplab::convert(golden, &folder.path().join("net.pt")).unwrap_err().to_string()
    };
    golden.shapes.remove("backbone.layer1.0.bn1.weight");
    assert!(cause(&mut golden).contains("lacks backbone.layer1.0.bn1.weight"));
    golden.shapes.insert("backbone.conv1.weight".into(), vec![64, 1, 7, 7]);
    assert!(cause(&mut golden).contains("backbone.conv1.weight is [64, 1, 7, 7]"));
    golden.shapes.retain(|name, _| !name.starts_with("backbone.layer3.6."));
    assert!(cause(&mut golden).contains("6 blocks"));
}
