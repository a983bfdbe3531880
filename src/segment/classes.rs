//! Which classes the user asked for.

use serde::{Deserialize, Serialize};

use super::{Manifest, SegmentError};

/// The classes of Pascal VOC; their places are their numbers in class maps.
pub const PASCAL_VOC: [&str; 21] = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

/// The number of a class in class maps, where its name says it: a number itself, or a name of
/// Pascal VOC's.
pub fn class_number(name: &str) -> Option<usize> {
    let is_it = |voc: &&str| voc.eq_ignore_ascii_case(name);
    name.parse::<u8>().ok().map(usize::from).or_else(|| PASCAL_VOC.iter().position(is_it))
}

/// One mask to make: a class, or several classes taken as one (`motorbike+person`), whose
/// probabilities are added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassGroup {
    name: String,
    members: Vec<usize>,
}

impl ClassGroup {
    /// Parses `person` or `motorbike+person` against the classes of `manifest`.
    ///
    /// # Errors
    /// [`SegmentError::UnknownClass`].
    pub fn parse(name: &str, manifest: &Manifest) -> Result<Self, SegmentError> {
        let mut members = Vec::new();
        for class in name.split('+').map(str::trim) {
            let known = manifest.classes.iter().position(|known| known.eq_ignore_ascii_case(class));
            let member = known.ok_or_else(|| SegmentError::UnknownClass {
                model: manifest.name.clone(),
                class: class.to_owned(),
                known: manifest.classes.clone(),
            })?;
            if !members.contains(&member) {
                members.push(member);
            }
        }
        let names: Vec<&str> = members.iter().map(|&member| manifest.classes[member].as_str()).collect();
        Ok(Self { name: names.join("+"), members })
    }

    /// As it is shown and as its folder is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Output channels of the network.
    pub fn members(&self) -> &[usize] {
        &self.members
    }

    /// Whether an output channel belongs to the group.
    pub fn has(&self, class: usize) -> bool {
        self.members.contains(&class)
    }
}
