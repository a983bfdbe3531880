//! Installing models and running them, as the command line does.

#[path = "common/needs.rs"]
mod needs;

use std::path::{Path, PathBuf};

use steadymask::frame::{Frame, FrameIndex, FrameSize, Timestamp};
use steadymask::segment::install::{InstallError, InstallStep, install};
use steadymask::segment::{Device, InputSize, Library, LoadOptions, SegmentError, Upsampling, class_map};

const MOBILENET: &str = needs::DEEPLAB;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/segment").join(name)
}

#[test]
fn a_model_is_installed_from_a_folder_and_found_again() {
    let (file, remedy) =
        ("deeplabv3_mnv2_pascal_quant.tflite", "models/catalogue.json says where to fetch it");
    let Some(weights) = needs::shared(&format!("models/{file}"), remedy) else { return };
    let weights = weights.parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let library = Library::only(folder.path());
    assert!(library.best().is_none());
    let mut steps = Vec::new();
    let installed = install(&library, MOBILENET, Some(weights), false, &mut |step| steps.push(step)).unwrap();
    assert!(installed.is_official);
    assert_eq!(steps, [InstallStep::Converting, InstallStep::Trying]);
    assert_eq!(library.best(), Some(MOBILENET));

    // Nothing but the network, its manifest and the list of trusted hashes is left.
    let mut names: Vec<_> = folder.path().read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["deeplabv3-mobilenetv2.json", "deeplabv3-mobilenetv2.pt", "trusted.json"]);

    let found = library.find(MOBILENET, false).unwrap();
    assert!(found.is_ours);
    assert_eq!(found.manifest, installed.manifest);
    assert_eq!(found.manifest.classes.len(), 21);
    assert_eq!((found.manifest.output_stride, found.manifest.upsampling), (16, Upsampling::AlignCorners));

    // The same weights make the same file, so its hash can be relied on.
    assert!(matches!(
        install(&library, MOBILENET, Some(weights), false, &mut |_| ()),
        Err(InstallError::Already { .. })
    ));
    let again = install(&library, MOBILENET, Some(weights), true, &mut |_| ()).unwrap();
    assert_eq!(again.manifest.sha256, installed.manifest.sha256);

    // Elsewhere, without its place in the list, the same kind of file must be asked for.
    std::fs::write(folder.path().join("trusted.json"), "{}").unwrap();
    assert!(matches!(library.find(MOBILENET, false), Err(SegmentError::Untrusted { .. })));
    assert!(library.find(MOBILENET, true).is_ok());
}

#[test]
fn other_weights_than_the_expected_are_refused() {
    let (folder, models) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let library = Library::only(models.path());
    let file = folder.path().join("weights.tflite");
    std::fs::copy(fixture("tiny.tflite"), &file).unwrap();
    let error = install(&library, MOBILENET, Some(&file), false, &mut |_| ()).unwrap_err();
    assert!(matches!(error, InstallError::WrongHash { .. }), "{error}");
    assert!(error.to_string().contains("models install deeplabv3-mobilenetv2 --from"), "{error}");

    // A user's own state dict may have any hash, but must be of the right network.
    let own = install(&library, "deeplabv3-resnet101", Some(&fixture("weights.pth")), false, &mut |_| ())
        .unwrap_err();
    assert!(own.to_string().contains("not a DeepLabv3 with a ResNet-101"), "{own}");

    let empty = install(&library, "selfie", Some(folder.path()), false, &mut |_| ()).unwrap_err();
    assert!(empty.to_string().contains("selfie_segmentation.tflite"), "{empty}");
    let missing =
        install(&library, "selfie", Some(Path::new("no/such.whl")), false, &mut |_| ()).unwrap_err();
    assert!(missing.to_string().contains("no/such.whl"), "{missing}");
    assert!(matches!(install(&library, "yolo", None, false, &mut |_| ()), Err(InstallError::Unknown(_))));
    assert!(library.names().is_empty());
}

/// The reference is the TFLite interpreter on the quantised network, at the 513×513 that it
/// is made for; `make_tflite.py` beside the picture made it.
#[test]
fn mobilenet_agrees_with_the_interpreter_on_a_real_picture() {
    if !needs::network(MOBILENET) {
        return;
    }
    let checkout = Library::only(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models"));
    let mut installed = checkout.find(MOBILENET, false).unwrap();
    installed.manifest.input = InputSize::Fixed { width: 513, height: 513 };
    let mut network = installed.load(LoadOptions { device: Device::Cpu, threads: 0 }).unwrap();

    let picture = image::open(fixture("vtest.jpg")).unwrap().to_rgb8();
    let reference = image::open(fixture("vtest_classes.png")).unwrap().to_luma8();
    let size = FrameSize::new(513, 513).unwrap();
    let frame = Frame::new(FrameIndex::ZERO, Timestamp::default(), size, picture.into_raw());
    let logits = network.segment(&[&frame]).unwrap().remove(0);
    let classes = class_map(&logits, Upsampling::AlignCorners, size);

    let pairs = || classes.iter().zip(reference.as_raw());
    let agreement = pairs().filter(|(a, b)| a == b).count() as f64 / size.pixels() as f64;
    println!("{:.3} % of the pixels agree", 100.0 * agreement);
    assert!(agreement >= 0.985, "{agreement}");
    // Most of the picture is background, so the people in it must agree as well.
    let person = 15;
    let both = pairs().filter(|&(&a, &b)| a == person && b == person).count() as f64;
    let either = pairs().filter(|&(&a, &b)| a == person || b == person).count() as f64;
    assert!(both / either > 0.9, "{both} of {either}");
}

/// The wheel has 36 MB: in CI pip fetches it, elsewhere `STEADYMASK_TEST_WHEEL` may name it.
#[test]
fn a_wheel_holds_the_selfie_network() {
    let wheel = std::env::var_os("STEADYMASK_TEST_WHEEL").map(PathBuf::from);
    if wheel.is_none() && !needs::is_ci() {
        eprintln!("skipped: STEADYMASK_TEST_WHEEL does not name the wheel of mediapipe 0.10.14");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let library = Library::only(folder.path());
    let installed = install(&library, "selfie", wheel.as_deref(), false, &mut |_| ()).unwrap();
    assert!(installed.is_official);
    assert_eq!(installed.manifest.classes, ["person"]);
}
