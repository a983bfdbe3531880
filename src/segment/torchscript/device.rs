//! Where a network runs, and why not on the GPU.
//!
//! The binary links libtorch's CPU half alone. The CUDA half registers itself when it is
//! loaded, which must happen before torch is first asked for anything: [`cuda_status`] does
//! it, and everything in this folder that calls torch asks it first.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::{CudaStatus, Device};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LAZY};

/// The driver that CUDA 13.0 asks for, by its first number.
const MIN_DRIVER: u32 = 580;

/// Loads libtorch's CUDA half at the first call, where there is a GPU to use it on.
pub fn cuda_status() -> &'static CudaStatus {
    static STATUS: OnceLock<CudaStatus> = OnceLock::new();
    STATUS.get_or_init(|| if has_gpu() { load_cuda() } else { CudaStatus::NoGpu })
}

/// The version of the NVIDIA driver that is there, such as `580.65.06`, and the least one
/// that CUDA needs.
pub fn nvidia_driver() -> (Option<String>, u32) {
    let version = std::fs::read_to_string("/proc/driver/nvidia/version").ok().and_then(|text| {
        let is_version =
            |word: &&str| word.contains('.') && word.split('.').all(|part| part.parse::<u32>().is_ok());
        text.split_whitespace().find(is_version).map(String::from)
    });
    (version, MIN_DRIVER)
}

/// A device file of NVIDIA's driver, or of the Windows one that WSL passes through.
fn has_gpu() -> bool {
    ["/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg"].iter().any(|path| Path::new(path).exists())
}

fn load_cuda() -> CudaStatus {
    let unusable = |reason: String| CudaStatus::Unusable { reason };
    let Some(folder) = torch_folder() else {
        return unusable(
            "the folder of libtorch could not be found; install it again with «make setup»".into(),
        );
    };
    let path = folder.join("libtorch_cuda.so");
    if !path.exists() {
        return unusable(format!(
            "libtorch's CUDA half is not in {}; «make setup» fetches it where there is an NVIDIA GPU",
            folder.display()
        ));
    }
    // SAFETY: libtorch's own library, whose initialisers register kernels and nothing else.
    // Opened for good: its code must outlive every tensor.
    match unsafe { Library::open(Some(&path), RTLD_LAZY | RTLD_GLOBAL) } {
        Ok(library) => std::mem::forget(library),
        Err(error) => {
            let error = anyhow::Error::from(error);
            return unusable(format!(
                "libtorch's CUDA half does not load ({error:#}); run «make setup» again to complete its libraries"
            ));
        }
    }
    match usize::try_from(tch::Cuda::device_count()) {
        Ok(gpus) if gpus > 0 && tch::Cuda::is_available() => CudaStatus::Ready { gpus },
        _ => unusable(match nvidia_driver().0 {
            Some(version) if first_number(&version) < MIN_DRIVER => format!(
                "the NVIDIA driver is {version} and CUDA 13.0 needs {MIN_DRIVER} or newer; update the driver"
            ),
            Some(version) => format!("CUDA finds no GPU that it can use with the NVIDIA driver {version}"),
            None => "CUDA finds no GPU that it can use; check the NVIDIA driver".into(),
        }),
    }
}

fn first_number(version: &str) -> u32 {
    version.split('.').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The folder that this process has libtorch from.
pub fn torch_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        // Address, access, offset, device, inode, path: the path may hold spaces.
        let path = Path::new(line.get(line.find('/')?..)?);
        (path.file_name()? == "libtorch_cpu.so").then(|| path.parent().map(PathBuf::from))?
    })
}

/// The device to run on, or why the one asked for can't be had.
pub(super) fn choose(device: Device) -> Result<tch::Device, String> {
    match (device, cuda_status()) {
        (Device::Auto | Device::Cuda, CudaStatus::Ready { .. }) => Ok(tch::Device::Cuda(0)),
        (Device::Auto | Device::Cpu, _) => Ok(tch::Device::Cpu),
        (Device::Cuda, status) => Err(status.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorch_is_found_where_it_was_loaded_from() {
        // A call into torch, so that the linker keeps it.
        assert!(tch::get_num_threads() > 0);
        assert!(torch_folder().unwrap().join("libtorch_cpu.so").exists());
    }
}
