//! Options that name the network and its classes, or masks in its place.

use std::path::PathBuf;

use clap::Args;

use super::args::{DeviceArg, MachineArgs};
use base::frame::Every;
use pipeline::Resources;
use plan::{MaskSource, Network, Plan, PlanError, Resolved};
use segment::{Device, Library};
use store::Store;

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
    /// What is not given here the plan goes on saying.
    pub fn apply(&self, machine: &MachineArgs, plan: &mut Plan) {
        let Self { model, masks, class, long_side, every, trust_model: _, models_dir: _ } = self.clone();
        let device = machine.device();
        if let Some(masks) = masks {
            // Every Nth is the network's; masks are there for each frame.
            plan.every = Every::ONE;
            plan.source = MaskSource::Mattes(masks);
        } else if model.is_some() || long_side.is_some() || plan.source.network().is_some() {
            let known = plan.source.network().cloned().unwrap_or_default();
            plan.source = MaskSource::Network(Network {
                name: model.or(known.name),
                long_side_px: long_side.or(known.long_side_px),
                normalise: known.normalise,
                device: device.unwrap_or(known.device),
            });
        }
        if !class.is_empty() {
            plan.classes = class;
        }
        plan.every = every.unwrap_or(plan.every);
    }

    /// Finds the network, or opens the masks, and looks the classes up.
    ///
    /// # Errors
    /// As [`Plan::resolve`].
    pub fn resolve(&self, plan: Plan) -> Result<Resolved, PlanError> {
        plan.resolve(&Library::new(self.models_dir.as_deref()), self.trust_model)
    }
}

impl MachineArgs {
    fn device(&self) -> Option<Device> {
        self.device.map(|device| match device {
            DeviceArg::Auto => Device::Auto,
            DeviceArg::Cpu => Device::Cpu,
            DeviceArg::Cuda => Device::Cuda,
        })
    }

    pub fn resources(&self) -> Resources {
        Resources { threads: self.threads, memory_bytes: self.memory, store: self.store() }
    }

    pub fn store(&self) -> Store {
        Store::new(self.cache.clone().unwrap_or_else(Store::default_root), self.cache_limit as u64)
    }
}
