//! Where names become networks, and classes become channels of their output.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use base::{frame::FrameSize, mask::Masks};
use export::{ExportClass, palette};
use segment::{
    Activation, ClassGroup, Device, Library, LoadOptions, Logits, Manifest, Mattes, MattesError, NetworkFile,
    SegmentError, Segmenter, class_number, probabilities,
};
use smooth::SettingsError;
use video::VOID_INDEX;

use crate::{MaskSource, Network, Plan};

/// Why a plan can't be carried out as it is.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says in its message what is wrong")]
pub enum PlanError {
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error(transparent)]
    Mattes(#[from] MattesError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("no class is named; choose of {}", .known.join(", "))]
    NoClass { known: Vec<String> },
}

/// A plan that can be carried out: its network is installed and knows the classes, or its mattes are
/// open. Made by [`Plan::resolve`]; clones share the opened mattes.
#[derive(Clone, Debug)]
pub struct Resolved {
    plan: Plan,
    manifest: Manifest,
    classes: Vec<ClassGroup>,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Network {
        found: NetworkFile,
        device: Device,
    },
    /// Opened already; whoever loads them first takes them.
    Mattes {
        path: PathBuf,
        opened: Arc<Mutex<Option<Mattes>>>,
    },
}

impl Plan {
    /// Finds the network, or opens the mattes, and looks up the classes. A class that is named twice is
    /// made once. `trust` allows networks that Steadymask did not make. Reads the whole file of the network
    /// for its hash.
    ///
    /// # Errors
    /// When the network is not installed, not trusted, lacks a class, or can't be given the size
    /// that is asked for; when the masks can't be read; and when settings contradict each other.
    pub fn resolve(self, library: &Library, trust: bool) -> Result<Resolved, PlanError> {
        match &self.source {
            MaskSource::Network(network) => {
                let found = library.find_or_best(network.name.as_deref(), trust)?;
                self.resolve_with(found)
            }
            MaskSource::Mattes(path) => {
                let mattes = Mattes::open(path, &self.classes)?;
                let (path, manifest) = (path.clone(), mattes.manifest().clone());
                self.bind(manifest, Source::Mattes { path, opened: Arc::new(Mutex::new(Some(mattes))) })
            }
        }
    }

    /// The same with a network that has been found already, whatever name the plan has; reads no file.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), except for what is read from the disk.
    pub fn resolve_with(self, mut found: NetworkFile) -> Result<Resolved, PlanError> {
        let network = self.source.network().cloned().unwrap_or_default();
        let Network { name: _, long_side_px, normalise, device } = network;
        if let Some(long_side) = long_side_px {
            found = found.resized(long_side)?;
        }
        if let Some(normalise) = normalise {
            found = found.normalised(normalise.mean, normalise.std);
        }
        self.bind(found.manifest.clone(), Source::Network { found, device })
    }

    fn bind(self, manifest: Manifest, source: Source) -> Result<Resolved, PlanError> {
        self.settings.check()?;
        let mut classes: Vec<ClassGroup> = Vec::new();
        for name in &self.classes {
            let group = ClassGroup::parse(name, &manifest)?;
            if !classes.contains(&group) {
                classes.push(group);
            }
        }
        if classes.is_empty() {
            let known = manifest.classes.iter().filter(|name| *name != "background").cloned().collect();
            return Err(PlanError::NoClass { known });
        }
        Ok(Resolved { plan: self, manifest, classes, source })
    }
}

impl Resolved {
    /// The plan as it was made.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the network says of itself, with the size and the normalisation of the plan.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The masks to make, each once, in the order in which they were named.
    pub fn classes(&self) -> &[ClassGroup] {
        &self.classes
    }

    /// The same plan with these smoothing settings, and no search for better ones.
    pub fn with_settings(&self, settings: smooth::Settings) -> Self {
        let plan = Plan { settings, auto: false, ..self.plan.clone() };
        Self { plan, ..self.clone() }
    }

    /// Size of the network's file in bytes; 0 where there is none.
    pub fn network_bytes(&self) -> usize {
        match &self.source {
            Source::Network { found, .. } => {
                std::fs::metadata(&found.pt).map_or(0, |file| file.len()) as usize
            }
            Source::Mattes { .. } => 0,
        }
    }

    /// The device that the network runs on.
    pub fn device(&self) -> Device {
        match &self.source {
            Source::Network { device, .. } => *device,
            Source::Mattes { .. } => Device::Cpu,
        }
    }

    /// Loads the network, or opens the masks. `threads` are those of one step on the CPU; 0 takes
    /// every core.
    ///
    /// # Errors
    /// When the file is no network, or the device can't be had.
    pub fn load(&self, threads: usize) -> Result<Box<dyn Segmenter>, SegmentError> {
        match &self.source {
            Source::Network { found, device } => found.clone().load(LoadOptions { device: *device, threads }),
            Source::Mattes { path, opened } => {
                let opened = opened.lock().unwrap_or_else(PoisonError::into_inner).take();
                let mattes = match opened {
                    Some(mattes) => mattes,
                    None => Mattes::open(path, &self.plan.classes).map_err(|error| SegmentError::Model {
                        name: self.manifest.name.clone(),
                        cause: error.to_string(),
                        remedy: "wait until nothing changes the masks, and try again".into(),
                    })?,
                };
                Ok(Box::new(mattes))
            }
        }
    }

    /// The classes as files have them. In class maps a class has the number that its name says, or
    /// else its place in the network's output, where that begins with the background.
    pub fn export_classes(&self) -> Vec<ExportClass> {
        let shift = usize::from(self.manifest.activation != Activation::Softmax);
        let mut taken: Vec<u8> = Vec::new();
        for group in &self.classes {
            let first = group.members().first().copied().unwrap_or(0);
            let named = self.manifest.classes.get(first).and_then(|name| class_number(name));
            let wanted =
                u8::try_from(named.unwrap_or(first + shift)).ok().filter(|&index| index < VOID_INDEX);
            let free = wanted.filter(|index| !taken.contains(index));
            taken.push(free.or_else(|| (1..VOID_INDEX).find(|index| !taken.contains(index))).unwrap_or(0));
        }
        let classes = self.classes.iter().zip(taken);
        classes
            .map(|(group, index)| {
                let first = group.members().first().copied().unwrap_or(0);
                let colour = palette::class_colour(if first == 0 { 15 } else { first });
                ExportClass { name: group.name().to_owned(), colour, index }
            })
            .collect()
    }

    /// The soft masks of a frame, one for each class, at this size, from the output of the network.
    /// Pass 2, previews and images all get them here.
    pub fn soft_masks(&self, logits: &Logits, size: FrameSize) -> Masks {
        probabilities(logits, &self.manifest, &self.classes, size).into()
    }
}
