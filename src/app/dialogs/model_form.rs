//! What the program must know of a network that comes without a manifest, as a form.

use std::path::PathBuf;

use segment::{Activation, InputSize, Manifest, Upsampling};

/// What is typed into the form.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelForm {
    pub pt: PathBuf,
    /// Names with commas between them.
    pub classes: String,
    /// The long side, and its step; or a fixed size.
    pub is_fixed: bool,
    pub sides: [u32; 2],
    pub stride: u32,
    pub activation: Activation,
    pub upsampling: Upsampling,
    /// Whether pictures are normalised as ImageNet's are; else bytes become 0 to 1.
    pub is_imagenet: bool,
}

const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

impl ModelForm {
    /// Begins as torchvision's networks are.
    pub fn new(pt: PathBuf) -> Self {
        Self {
            pt,
            classes: "background, person".into(),
            is_fixed: false,
            sides: [520, 8],
            stride: 8,
            activation: Activation::Softmax,
            upsampling: Upsampling::HalfPixel,
            is_imagenet: true,
        }
    }

    /// # Errors
    /// Why a network can't be run by it.
    pub fn manifest(&self) -> Result<Manifest, String> {
        let classes = self.classes.split(',').map(|name| name.trim().to_owned());
        let [first, second] = self.sides;
        let input = if self.is_fixed {
            InputSize::Fixed { width: first, height: second }
        } else {
            InputSize::LongSide { long_side: first, multiple: second, offset: 0 }
        };
        let (mean, std) = if self.is_imagenet { IMAGENET } else { ([0.0; 3], [1.0; 3]) };
        let manifest = Manifest {
            name: self.pt.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            classes: classes.filter(|name| !name.is_empty()).collect(),
            input,
            mean,
            std,
            activation: self.activation,
            upsampling: self.upsampling,
            output_stride: self.stride,
            sha256: String::new(),
            licence: String::new(),
            source: String::new(),
            torch_version: String::new(),
        };
        manifest.check().map(|()| manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_a_manifest_or_says_what_is_missing() {
        let form = ModelForm::new("nets/mine.pt".into());
        let manifest = form.manifest().unwrap();
        assert_eq!((&*manifest.name, &manifest.classes[1][..]), ("mine", "person"));
        assert_eq!(manifest.input, InputSize::LongSide { long_side: 520, multiple: 8, offset: 0 });
        let one = ModelForm { classes: " person ,".into(), ..form.clone() };
        assert!(one.manifest().unwrap_err().contains("softmax"));
        let sigmoid = ModelForm { activation: Activation::Sigmoid, is_fixed: true, sides: [256, 144], ..one };
        assert_eq!(sigmoid.manifest().unwrap().input, InputSize::Fixed { width: 256, height: 144 });
        assert!(ModelForm { classes: ",".into(), ..form }.manifest().is_err());
    }
}
