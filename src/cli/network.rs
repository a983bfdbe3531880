//! Options that name the network and its classes, or masks in its place.

use std::path::PathBuf;

use clap::Args;

use super::{
    args::{DeviceArg, MachineArgs},
    exit::WrongUse,
};
use crate::{
    pipeline::{Every, Model},
    segment::{
        ClassGroup, Manifest, Mattes, MattesError, Segmenter as _,
        library::Library,
        torchscript::{Device, Options},
    },
    store::Store,
};

#[derive(Args, Clone, Debug)]
pub struct NetworkArgs {
    /// Network by name or by the path of its .pt file; the best that is installed if not given
    #[arg(long, conflicts_with = "masks")]
    pub model: Option<String>,
    /// Take masks that are there already in place of a network: a video of grey pictures, or a
    /// folder of images, grey, with transparency, or with a palette of classes
    #[arg(long, value_name = "PATH")]
    pub masks: Option<PathBuf>,
    /// Class to make a mask of; several with commas; classes joined by + are one mask
    #[arg(long = "class", value_name = "NAME", value_delimiter = ',')]
    pub class: Vec<String>,
    /// Size of the network's input along the longer side, in pixels; its manifest's if not given
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(32..=8192))]
    pub long_side: Option<u32>,
    /// Run the network on every Nth frame only; the frames between follow the motion from both
    /// sides
    #[arg(long, value_name = "N")]
    pub every: Option<Every>,
    /// Open a network that Steadymask did not make; a TorchScript file is a program
    #[arg(long)]
    pub trust_model: bool,
    /// Folder with networks
    #[arg(long, value_name = "FOLDER")]
    pub models_dir: Option<PathBuf>,
}

impl NetworkArgs {
    /// Finds the network and reads its manifest. It is loaded when its first frame comes.
    pub fn open(&self, machine: &MachineArgs) -> anyhow::Result<Model> {
        if let Some(path) = &self.masks {
            let mattes = Mattes::open(path, &self.class).map_err(|error| match error {
                MattesError::Video(error) => anyhow::Error::from(error),
                MattesError::Classes { .. } => WrongUse(error.to_string()).into(),
            })?;
            return Ok(Model {
                manifest: mattes.manifest().clone(),
                load: Box::new(|| Ok(Box::new(mattes))),
            });
        }
        let library = Library::new(self.models_dir.as_deref());
        let mut found = library.find_or_best(self.model.as_deref(), self.trust_model)?;
        if let Some(long_side) = self.long_side {
            found.manifest.input = found.manifest.input.with_long_side(long_side);
        }
        let options = Options { device: machine.device(), threads: machine.threads, ..Options::default() };
        Ok(Model { manifest: found.manifest.clone(), load: Box::new(move || found.load(options)) })
    }

    /// The masks to make.
    pub fn classes(&self, manifest: &Manifest) -> anyhow::Result<Vec<ClassGroup>> {
        if self.class.is_empty() {
            let known: Vec<&str> =
                manifest.classes.iter().map(String::as_str).filter(|name| *name != "background").collect();
            return Err(WrongUse(format!("no class is named; give --class, of {}", known.join(", "))).into());
        }
        let mut groups: Vec<ClassGroup> = Vec::new();
        for name in &self.class {
            let group = ClassGroup::parse(name, manifest)?;
            if groups.contains(&group) {
                return Err(WrongUse(format!("--class names {} twice; once is enough", group.name())).into());
            }
            groups.push(group);
        }
        Ok(groups)
    }
}

impl MachineArgs {
    pub fn device(&self) -> Device {
        match self.device {
            DeviceArg::Auto => Device::Auto,
            DeviceArg::Cpu => Device::Cpu,
            DeviceArg::Cuda => Device::Cuda,
        }
    }

    pub fn store(&self) -> Store {
        Store::new(self.cache.clone().unwrap_or_else(Store::default_root), self.cache_limit as u64)
    }
}
