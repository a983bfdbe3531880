//! Where a network runs, whatever library runs it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// CUDA where it works, the CPU elsewhere.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU, or an error.
    Cuda,
}

impl FromStr for Device {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            other => Err(format!("«{other}» is not a device; use auto, cpu or cuda")),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

/// Whether networks can run on an NVIDIA GPU here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CudaStatus {
    /// Networks can run on a GPU.
    Ready {
        /// How many GPUs there are.
        gpus: usize,
    },
    /// No NVIDIA GPU shows itself, so nothing is wrong.
    NoGpu,
    /// There is a GPU that can't be used; the reason is a sentence with the way out.
    Unusable {
        /// What is wrong and what to do about it.
        reason: String,
    },
}

impl fmt::Display for CudaStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { gpus: 1 } => f.write_str("one GPU ready"),
            Self::Ready { gpus } => write!(f, "{gpus} GPUs ready"),
            Self::NoGpu => f.write_str("there is no NVIDIA GPU, or no driver for it"),
            Self::Unusable { reason } => f.write_str(reason),
        }
    }
}

/// How a network is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Where it shall run.
    pub device: Device,
    /// Threads of one network step on the CPU; 0 takes every core.
    pub threads: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices_survive_the_round_trip() {
        for device in [Device::Auto, Device::Cpu, Device::Cuda] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert!("gpu".parse::<Device>().is_err());
    }
}
