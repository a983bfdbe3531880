//! A PyTorch state dict (`.pth`): named tensors, in either of the two formats that
//! `torch.save` has written.
//!
//! Since torch 1.6 the file is a zip archive: `…/data.pkl` describes the tensors, and each
//! `…/data/KEY` is the raw storage of some of them. Before, it was a row of pickles (magic
//! number, version, byte order, the tensors, the keys of the storages) followed by the
//! storages, each after its count of elements. torchvision's weights are of both kinds.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read as _};
use std::ops::Range;

use half::{bf16, f16};
use zip::ZipArchive;

use super::pickle::{Pickle, Ref, Value};
use super::{Malformed, NamedTensors, Values};

/// `0x1950a86a20f9469cfc6c`, little endian: what the older format begins with.
const OLD_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// A nested dict under one of these names is the state dict of a whole checkpoint.
const NESTED_UNDER: [&str; 3] = ["model", "state_dict", "model_state_dict"];

pub struct StateDict<'a> {
    tensors: BTreeMap<String, TensorLocation>,
    storages: Storages<'a>,
}

/// Where a tensor's elements lie in its storage, counted in elements.
struct TensorLocation {
    key: String,
    kind: Kind,
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
}

enum Storages<'a> {
    Zip { archive: Box<ZipArchive<Cursor<&'a [u8]>>>, prefix: String },
    Rows { bytes: &'a [u8], ranges: HashMap<String, Range<usize>> },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    F32,
    F64,
    F16,
    Bf16,
    I64,
}

impl<'a> StateDict<'a> {
    /// Lists the tensors of the file whose contents are `bytes`.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.starts_with(b"PK\x03\x04") { Self::read_zip(bytes) } else { Self::read_rows(bytes) }
    }

    fn read_zip(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut archive = ZipArchive::new(Cursor::new(bytes))
            .map_err(|error| Malformed::new(format!("its zip archive can't be read ({error})")))?;
        let names: Vec<String> = archive.file_names().map(String::from).collect();
        if names.iter().any(|name| name.ends_with("/constants.pkl")) {
            return Err(Malformed::new("it is a TorchScript network, not a file of weights"));
        }
        let prefix = names
            .iter()
            .find_map(|name| name.strip_suffix("data.pkl"))
            .ok_or_else(|| Malformed::new("it is a zip archive without data.pkl, so not PyTorch weights"))?
            .to_owned();
        if let Ok(order) = read_entry(&mut archive, &format!("{prefix}byteorder"))
            && order != b"little"
        {
            return Err(Malformed::new("its numbers are big-endian"));
        }
        let pickle = read_entry(&mut archive, &format!("{prefix}data.pkl"))?;
        let (pickle, _) = Pickle::read(&pickle)?;
        let tensors = list_tensors(&pickle)?;
        Ok(Self { tensors, storages: Storages::Zip { archive: Box::new(archive), prefix } })
    }

    fn read_rows(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut at = 0;
        let mut next = || -> Result<Pickle, Malformed> {
            let (pickle, length) = Pickle::read(&bytes[at..])?;
            at += length;
            Ok(pickle)
        };
        let magic = next().ok();
        if !magic.is_some_and(|pickle| *pickle.get(pickle.root) == Value::Bytes(OLD_MAGIC.to_vec())) {
            return Err(Malformed::new("it is not a file that torch.save wrote"));
        }
        let (_version, system) = (next()?, next()?);
        if lookup(&system, system.root, "little_endian") == Some(&Value::Bool(false)) {
            return Err(Malformed::new("its numbers are big-endian"));
        }
        let (pickle, keys) = (next()?, next()?);
        let tensors = list_tensors(&pickle)?;
        let kinds: HashMap<&str, Kind> =
            pickle.values().filter_map(|value| storage(&pickle, value).ok()).collect();
        let Value::List(keys_list) = keys.get(keys.root) else {
            return Err(Malformed::new("it lacks the list of its storages"));
        };
        let mut ranges = HashMap::new();
        for &key in keys_list {
            let Value::Text(key) = keys.get(key) else {
                return Err(Malformed::new("a storage's key is not text"));
            };
            let kind = kinds
                .get(key.as_str())
                .ok_or_else(|| Malformed::new(format!("storage {key} has no type")))?;
            let cut_short = || Malformed::new(format!("it ends within storage {key}: it is cut short"));
            let count = *bytes[at..].first_chunk().ok_or_else(cut_short)?;
            let start = at + 8;
            let end = usize::try_from(i64::from_le_bytes(count))
                .ok()
                .and_then(|count| count.checked_mul(kind.size_bytes())?.checked_add(start))
                .filter(|&end| end <= bytes.len())
                .ok_or_else(cut_short)?;
            ranges.insert(key.clone(), start..end);
            at = end;
        }
        Ok(Self { tensors, storages: Storages::Rows { bytes, ranges } })
    }

    /// The names of all tensors, in alphabetical order.
    #[cfg(test)]
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }
}

impl NamedTensors for StateDict<'_> {
    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|location| &location.shape[..])
    }

    fn values(&mut self, name: &str) -> Result<Values, Malformed> {
        let location =
            self.tensors.get(name).ok_or_else(|| Malformed::new(format!("it lacks the tensor {name}")))?;
        let fits = || Malformed::new(format!("the tensor {name} does not fit into its storage"));
        let owned;
        let storage = match &mut self.storages {
            Storages::Zip { archive, prefix } => {
                owned = read_entry(archive, &format!("{prefix}data/{}", location.key))?;
                &owned[..]
            }
            Storages::Rows { bytes, ranges } => {
                ranges.get(&location.key).map_or(&[][..], |range| &bytes[range.clone()])
            }
        };
        let count = location
            .shape
            .iter()
            .try_fold(1usize, |product, &side| product.checked_mul(side))
            .ok_or_else(fits)?;
        let last = location
            .shape
            .iter()
            .zip(&location.stride)
            .try_fold(location.offset, |last, (&side, &stride)| {
                side.saturating_sub(1).checked_mul(stride)?.checked_add(last)
            });
        let held = storage.len() / location.kind.size_bytes();
        // A shape can ask for more values than it has places, by strides of 0.
        if count > held || count > 0 && last.is_none_or(|last| last >= held) {
            return Err(fits());
        }
        let mut data = Vec::with_capacity(count);
        let mut index = vec![0; location.shape.len()];
        for _ in 0..count {
            let at =
                index.iter().zip(&location.stride).fold(location.offset, |at, (&i, &stride)| at + i * stride);
            data.push(location.kind.value(storage, at));
            for (i, &side) in index.iter_mut().zip(&location.shape).rev() {
                *i += 1;
                if *i < side {
                    break;
                }
                *i = 0;
            }
        }
        Ok(Values { shape: location.shape.clone(), data })
    }
}

impl Kind {
    fn of_storage(class: &str) -> Option<Self> {
        Some(match class {
            "FloatStorage" => Self::F32,
            "DoubleStorage" => Self::F64,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::Bf16,
            "LongStorage" => Self::I64,
            _ => return None,
        })
    }

    fn size_bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Element `index`, which the caller knows to be there.
    fn value(self, storage: &[u8], index: usize) -> f32 {
        fn at<const N: usize>(storage: &[u8], index: usize) -> [u8; N] {
            storage.as_chunks().0[index]
        }
        match self {
            Self::F32 => f32::from_le_bytes(at(storage, index)),
            Self::F64 => f64::from_le_bytes(at(storage, index)) as f32,
            Self::F16 => f16::from_le_bytes(at(storage, index)).to_f32(),
            Self::Bf16 => bf16::from_le_bytes(at(storage, index)).to_f32(),
            Self::I64 => i64::from_le_bytes(at(storage, index)) as f32,
        }
    }
}

fn read_entry(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Vec<u8>, Malformed> {
    let fail =
        |error: &dyn std::fmt::Display| Malformed::new(format!("{name} in it can't be read ({error})"));
    let entry = archive.by_name(name).map_err(|error| fail(&error))?;
    // torch compresses nothing, so no entry is longer than the file.
    if entry.compression() != zip::CompressionMethod::Stored {
        return Err(fail(&"it is compressed, which torch never does"));
    }
    let length = entry.size();
    let mut bytes = Vec::new();
    entry.take(length).read_to_end(&mut bytes).map_err(|error| fail(&error))?;
    Ok(bytes)
}

fn lookup<'p>(pickle: &'p Pickle, dict: Ref, key: &str) -> Option<&'p Value> {
    let Value::Dict(pairs) = pickle.get(dict) else { return None };
    let is_key = |value: &Value| matches!(value, Value::Text(text) if text == key);
    pairs.iter().find(|&&(k, _)| is_key(pickle.get(k))).map(|&(_, value)| pickle.get(value))
}

fn list_tensors(pickle: &Pickle) -> Result<BTreeMap<String, TensorLocation>, Malformed> {
    let mut root = pickle.get(pickle.root);
    if let Some(nested) = NESTED_UNDER.iter().find_map(|key| lookup(pickle, pickle.root, key))
        && matches!(nested, Value::Dict(_))
    {
        root = nested;
    }
    let Value::Dict(pairs) = root else {
        return Err(Malformed::new("it does not hold a dict of weights"));
    };
    let mut tensors = BTreeMap::new();
    for &(key, value) in pairs {
        if let (Value::Text(name), Some(location)) = (pickle.get(key), tensor(pickle, pickle.get(value))?) {
            // What training on several GPUs puts before every name.
            tensors.insert(name.strip_prefix("module.").unwrap_or(name).to_owned(), location);
        }
    }
    if tensors.is_empty() {
        return Err(Malformed::new("it holds no tensors by name"));
    }
    Ok(tensors)
}

/// `None` where the value is something else than a tensor of numbers that we read.
fn tensor(pickle: &Pickle, value: &Value) -> Result<Option<TensorLocation>, Malformed> {
    let Some((function, arguments)) = call(pickle, value) else { return Ok(None) };
    match (function, arguments) {
        // A parameter wraps its tensor; a parameter of a parameter is nothing torch writes.
        ("_rebuild_parameter", &[inner, ..]) => match call(pickle, pickle.get(inner)) {
            Some(("_rebuild_tensor_v2", arguments)) => rebuild(pickle, arguments),
            _ => Ok(None),
        },
        ("_rebuild_tensor_v2", arguments) => rebuild(pickle, arguments),
        _ => Ok(None),
    }
}

fn rebuild(pickle: &Pickle, arguments: &[Ref]) -> Result<Option<TensorLocation>, Malformed> {
    let &[held_in, offset, shape, stride, ..] = arguments else {
        return Err(Malformed::new("a tensor is described by too few values"));
    };
    let whole = |location: Ref| match pickle.get(location) {
        &Value::Int(int) => usize::try_from(int).ok(),
        _ => None,
    };
    let wholes = |location: Ref| match pickle.get(location) {
        Value::Tuple(items) => items.iter().map(|&item| whole(item)).collect::<Option<Vec<usize>>>(),
        _ => None,
    };
    let Ok((key, kind)) = storage(pickle, pickle.get(held_in)) else { return Ok(None) };
    match (whole(offset), wholes(shape), wholes(stride)) {
        (Some(offset), Some(shape), Some(stride)) if shape.len() == stride.len() => {
            Ok(Some(TensorLocation { key: key.to_owned(), kind, offset, shape, stride }))
        }
        _ => Err(Malformed::new("a tensor's shape is not a row of whole numbers")),
    }
}

/// The function's name and arguments where `value` is a call of one of `torch._utils`.
fn call<'p>(pickle: &'p Pickle, value: &Value) -> Option<(&'p str, &'p [Ref])> {
    let &Value::Call(function, arguments) = value else { return None };
    match (pickle.get(function), pickle.get(arguments)) {
        (Value::Global(module, name), Value::Tuple(arguments)) if module == "torch._utils" => {
            Some((name, arguments))
        }
        _ => None,
    }
}

/// Key and type of a storage: the tuple `("storage", class, key, device, elements)`.
fn storage<'p>(pickle: &'p Pickle, value: &Value) -> Result<(&'p str, Kind), ()> {
    let &Value::Persistent(id) = value else { return Err(()) };
    let Value::Tuple(parts) = pickle.get(id) else { return Err(()) };
    match parts
        .get(..3)
        .map(|parts| parts.iter().map(|&part| pickle.get(part)).collect::<Vec<_>>())
        .as_deref()
    {
        Some([Value::Text(tag), Value::Global(_, class), Value::Text(key)]) if tag == "storage" => {
            Ok((key, Kind::of_storage(class).ok_or(())?))
        }
        _ => Err(()),
    }
}
