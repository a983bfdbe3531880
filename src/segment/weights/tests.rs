//! Files that PyTorch and TFLite's own tools wrote (see `make_*.py` beside them), whole and
//! damaged.

use proptest::prelude::*;

use super::state_dict::StateDict;
use super::tflite::{Graph, Operator};
use super::{Malformed, NamedTensors as _, Values};

const WEIGHTS: &[u8] = include_bytes!("../../../tests/fixtures/segment/weights.pth");
const WEIGHTS_OLD: &[u8] = include_bytes!("../../../tests/fixtures/segment/weights_old.pth");
const TORCHSCRIPT: &[u8] = include_bytes!("../../../tests/fixtures/segment/dict_output.pt");
const TFLITE: &[u8] = include_bytes!("../../../tests/fixtures/segment/tiny.tflite");

#[test]
fn both_formats_of_torch_save_give_the_same_tensors() {
    for bytes in [WEIGHTS, WEIGHTS_OLD] {
        let mut weights = StateDict::read(bytes).unwrap();
        let names: Vec<&str> = weights.names().collect();
        assert_eq!(
            names,
            ["bfloat", "count", "double", "half", "parameter", "plain", "strided", "transposed"]
        );
        let mut expect = |name: &str, shape: &[usize], data: &[f32]| {
            let values = Values { shape: shape.to_vec(), data: data.to_vec() };
            assert_eq!(weights.values(name).unwrap(), values, "{name}");
        };
        expect("plain", &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        expect("transposed", &[3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        expect("strided", &[3], &[3.0, 5.0, 7.0]);
        expect("half", &[2], &[0.5, -2.0]);
        expect("bfloat", &[2], &[0.5, -2.0]);
        expect("double", &[1], &[0.25]);
        expect("count", &[], &[5.0]);
        expect("parameter", &[2], &[1.0, 1.0]);
    }
}

#[test]
fn what_is_not_weights_is_named() {
    let cause = |bytes: &[u8]| StateDict::read(bytes).err().unwrap().to_string();
    assert!(cause(TORCHSCRIPT).contains("TorchScript"), "{}", cause(TORCHSCRIPT));
    assert!(cause(b"").contains("torch.save"));
    assert!(cause(b"\x89PNG and so on").contains("torch.save"));
    assert!(Graph::read(b"nothing").unwrap_err().to_string().contains("TFLite"));
}

#[test]
fn a_pickle_that_would_run_a_program_runs_nothing() {
    // What pickle.dumps gives for an object whose __reduce__ asks for os.system("touch …").
    let mark = std::env::temp_dir().join(format!("steadymask-pickle-{}", std::process::id()));
    let command = format!("touch {}", mark.display());
    let mut evil = b"\x80\x02cposix\nsystem\nX".to_vec();
    evil.extend((command.len() as u32).to_le_bytes());
    evil.extend(command.as_bytes());
    evil.extend(b"\x85R.");
    assert!(StateDict::read(&evil).is_err());
    assert!(!mark.exists());
}

#[test]
fn nesting_without_end_is_no_danger() {
    let mut deep = b"\x80\x02)".to_vec();
    deep.extend(std::iter::repeat_n(0x85, 1_000_000));
    deep.push(b'.');
    assert!(StateDict::read(&deep).is_err());
}

#[test]
fn a_tflite_graph_is_read_with_its_constants() {
    let graph = Graph::read(TFLITE).unwrap();
    assert_eq!(graph.tensors[graph.input].shape, [1, 33, 33, 3]);
    let count = |is: fn(&Operator) -> bool| graph.nodes.iter().filter(|node| is(&node.operator)).count();
    assert_eq!(count(|operator| matches!(operator, Operator::Convolution { depthwise: false, .. })), 3);
    assert_eq!(count(|operator| matches!(operator, Operator::Convolution { depthwise: true, .. })), 1);
    assert_eq!(count(|operator| matches!(operator, Operator::Convert)), 2);
    assert!(matches!(graph.maker(graph.output).unwrap().operator, Operator::ArgMax));
    // 0.004 · (stored − 131) lies between −0.524 and 0.496.
    let depthwise = graph
        .nodes
        .iter()
        .find(|node| matches!(node.operator, Operator::Convolution { depthwise: true, .. }));
    let values = graph.constant(depthwise.unwrap().inputs[1]).unwrap().values().unwrap();
    assert_eq!(values.shape, [1, 3, 3, 8]);
    assert!(values.data.iter().all(|value| (-0.5241..0.4961).contains(value)));
    assert!(values.data.iter().all(|value| ((value / 0.004).round() * 0.004 - value).abs() < 1e-6));
}

/// Reads everything that a damaged file still offers.
fn read_all(bytes: &[u8]) -> Result<(), Malformed> {
    let mut weights = StateDict::read(bytes)?;
    let names: Vec<String> = weights.names().map(String::from).collect();
    names.iter().try_for_each(|name| weights.values(name).map(drop))
}

fn damaged(bytes: &[u8], flips: &[(prop::sample::Index, u8)], end: &prop::sample::Index) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, flip) in flips {
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
    }
    bytes.truncate(end.index(bytes.len() * 2).min(bytes.len()));
    bytes
}

fn damage() -> impl Strategy<Value = (Vec<(prop::sample::Index, u8)>, prop::sample::Index)> {
    (proptest::collection::vec((any::<prop::sample::Index>(), 1u8..), 0..6), any::<prop::sample::Index>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_damaged_state_dict_never_panics((flips, end) in damage(), old: bool) {
        let bytes = damaged(if old { WEIGHTS_OLD } else { WEIGHTS }, &flips, &end);
        let _ = read_all(&bytes);
    }

    #[test]
    fn a_damaged_graph_never_panics((flips, end) in damage()) {
        if let Ok(graph) = Graph::read(&damaged(TFLITE, &flips, &end)) {
            for tensor in &graph.tensors {
                let _ = tensor.values();
            }
        }
    }
}

#[test]
fn a_file_cut_short_is_an_error() {
    for whole in [WEIGHTS, WEIGHTS_OLD] {
        for length in 0..whole.len() {
            assert!(read_all(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }
}
