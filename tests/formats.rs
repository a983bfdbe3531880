//! What version 0.1.0 wrote is read by every later one, which makes the same of it. The files
//! are in `tests/golden/v0.1.0`; its README says what they are and how they were made.

use std::{
    collections::BTreeMap,
    fs,
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use serde_json::Value;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v0.1.0");
/// A batch knows its inputs by their times, which a checkout does not keep.
const INPUT_TIME_SECS: u64 = 1_767_323_045;
/// Said when the store lacks what the network says of a frame.
const NETWORK_IS_NEEDED: &str = "the network is needed";

/// A copy of the golden files, which the program may change.
struct Golden(tempfile::TempDir);

impl Golden {
    fn copy() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(Path::new(GOLDEN), folder.path());
        let golden = Self(folder);
        let work = golden.path("work");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(INPUT_TIME_SECS);
        for path in files(&work) {
            File::open(work.join(path)).unwrap().set_modified(time).unwrap();
        }
        golden
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadymask"));
        command.current_dir(self.0.path()).args(arguments).stdin(Stdio::null());
        command.env("XDG_DATA_HOME", self.path("data")).env("XDG_CACHE_HOME", self.path("unused"));
        command.env_remove("STEADYMASK_MODELS").env_remove("STEADYMASK_TOKEN");
        command.env("RUST_LOG", "steadymask=info");
        command
    }

    /// Exit code, standard output and standard error.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Standard output and standard error of a run that must succeed.
    fn run_well(&self, arguments: &[&str]) -> (String, String) {
        let (code, out, err) = self.run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {err}");
        (out, err)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.run_well(arguments).0).unwrap()
    }

    /// Runs a case, and gives what it said on standard error. What 0.1.0 wrote must be there.
    fn run_case(&self, name: &str, arguments: &str) -> String {
        let out = format!("out/{name}");
        let mut all: Vec<&str> = arguments.split_whitespace().collect();
        all.extend(["--cache", "cache", "--out", &out, "--quiet"]);
        let (_, err) = self.run_well(&all);
        same_files(&Path::new(GOLDEN).join("expected").join(name), &self.path(&out));
        err
    }

    /// Takes from the store what networks said. The motion stays: it is not the same on every
    /// machine to the last bit, and masks that are not moved by the same come out otherwise.
    fn forget_networks(&self) {
        let cache = self.path("cache");
        let logits = files(&cache).into_iter().filter(|path| path.to_string_lossy().contains("logits-"));
        let removed = logits.map(|path| fs::remove_file(cache.join(path)).unwrap()).count();
        assert!(removed > 0, "the store names tracks as it did");
    }
}

/// The cases of this kind: name and arguments.
fn cases(kind: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(Path::new(GOLDEN).join("cases.txt")).unwrap();
    let split = |line: &str| line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.to_owned()));
    let found: Vec<_> = text.lines().filter(|line| line.starts_with(kind)).filter_map(split).collect();
    assert!(!found.is_empty(), "{kind}");
    found
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        fs::create_dir_all(to.join(&path).parent().unwrap()).unwrap();
        // Only the content: files of a checkout may be read-only.
        fs::write(to.join(&path), fs::read(from.join(&path)).unwrap()).unwrap();
    }
}

/// Every file below the folder, as seen from there.
fn files(folder: &Path) -> Vec<PathBuf> {
    fn visit(folder: &Path, root: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    visit(folder, folder, &mut found);
    found.sort();
    found
}

/// Every file of `kept` is in `found` too and says the same. There may be others.
fn same_files(kept: &Path, found: &Path) {
    for path in files(kept) {
        let (kept, found) = (kept.join(&path), found.join(&path));
        let name = found.display().to_string();
        assert!(found.is_file(), "{name} is not written any more");
        if path.extension().is_some_and(|extension| extension == "png") {
            // How a picture is packed may change.
            let [kept, found] = [&kept, &found].map(|path| image::open(path).unwrap());
            assert!(kept == found, "{name}: the picture is another");
            continue;
        }
        let [kept, found] = [kept, found].map(|path| fs::read_to_string(path).unwrap());
        let kept = kept.replace("steadymask 0.1.0", concat!("steadymask ", env!("CARGO_PKG_VERSION")));
        if path.extension().is_some_and(|extension| extension == "json") && name.contains("metrics") {
            let [kept, found] = [kept, found].map(|text| serde_json::from_str(&text).unwrap());
            holds(&found, &kept, &name);
        } else {
            assert_eq!(found, kept, "{name}");
        }
    }
}

/// `found` has every value of `kept`. Objects may have come to hold more.
fn holds(found: &Value, kept: &Value, place: &str) {
    match (found, kept) {
        (Value::Object(found), Value::Object(kept)) => {
            for (name, kept) in kept {
                let found = found.get(name).unwrap_or_else(|| panic!("{place}: {name} is gone"));
                holds(found, kept, &format!("{place}: {name}"));
            }
        }
        (Value::Array(found), Value::Array(kept)) => {
            assert_eq!(found.len(), kept.len(), "{place}");
            for (index, (found, kept)) in found.iter().zip(kept).enumerate() {
                holds(found, kept, &format!("{place}: {index}"));
            }
        }
        _ => assert_eq!(found, kept, "{place}"),
    }
}

/// What 0.1.0 wrote there.
fn kept_json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(Path::new(GOLDEN).join(name)).unwrap()).unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[test]
fn every_project_gives_the_masks_and_numbers_that_it_gave() {
    let golden = Golden::copy();
    for (name, arguments) in cases("project-") {
        golden.run_case(&name, &arguments);
    }
}

#[test]
fn stored_tracks_are_exported_without_a_network() {
    let golden = Golden::copy();
    for (name, arguments) in cases("stored-") {
        let err = golden.run_case(&name, &arguments);
        assert!(!err.contains(NETWORK_IS_NEEDED), "{name}: {err}");
    }
    // Motion and times that can't be read are found out again, and stored.
    let (kept, found) = (Path::new(GOLDEN).join("cache"), golden.path("cache"));
    assert_eq!(files(&found), files(&kept), "all that was asked for was there");
    for path in files(&kept) {
        assert!(fs::read(found.join(&path)).unwrap() == fs::read(kept.join(&path)).unwrap(), "{path:?}");
    }
}

#[test]
fn networks_say_again_what_they_said() {
    let golden = Golden::copy();
    for kind in ["project-", "pipeline-"] {
        for (name, arguments) in cases(kind) {
            golden.forget_networks();
            let err = golden.run_case(&name, &arguments);
            assert!(err.contains(NETWORK_IS_NEEDED), "{name}: {err}");
        }
    }
}

#[test]
fn every_preset_is_listed_and_smooths_as_it_did() {
    let golden = Golden::copy();
    let kept = kept_json("expected/presets.json");
    holds(&golden.json(&["presets", "export"]), &kept, "presets");
    let list = golden.run_well(&["presets"]).0;
    for name in names(&kept) {
        assert!(list.lines().any(|line| line.starts_with(name)), "{name} in {list}");
    }
    for (name, arguments) in cases("preset-") {
        golden.run_case(&name, &arguments);
    }
}

#[test]
fn every_pipeline_is_shown_and_does_what_it_did() {
    let golden = Golden::copy();
    let kept = kept_json("expected/pipelines.json");
    holds(&golden.json(&["pipelines", "export"]), &kept, "pipelines");
    let list = golden.run_well(&["pipelines"]).0;
    for pipeline in kept.as_array().unwrap() {
        let name = pipeline["name"].as_str().unwrap();
        assert!(list.contains(&format!(" {name} ")), "{name} in {list}");
        holds(&golden.json(&["pipelines", "show", name]), &pipeline["steps"], name);
    }
    for (name, arguments) in cases("pipeline-") {
        let err = golden.run_case(&name, &arguments);
        assert!(!err.contains(NETWORK_IS_NEEDED), "{name}: its track is stored; {err}");
    }
}

#[test]
fn exported_presets_and_pipelines_and_lists_of_steps_are_taken_in() {
    let golden = Golden::copy();
    fs::remove_file(golden.path("data/steadymask/presets.sqlite")).unwrap();
    for kind in ["presets", "pipelines"] {
        let file = format!("expected/{kind}.json");
        let kept = kept_json(&file);
        let taken_in = golden.run_well(&[kind, "import", &file]).0;
        assert_eq!(taken_in.lines().collect::<Vec<_>>(), names(&kept));
        let found = golden.json(&[kind, "export"]);
        for kept in kept.as_array().unwrap() {
            let found = found.as_array().unwrap().iter().find(|found| found["name"] == kept["name"]);
            for part in ["steps", "smoothing", "export"] {
                holds(&found.unwrap()[part], &kept[part], &kept["name"].to_string());
            }
        }
    }
    let shown = kept_json("expected/pipelines.json");
    for file in files(&golden.path("pipelines")) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let again = format!("{name} again");
        golden.run_well(&["pipelines", "save", &again, &format!("pipelines/{}", file.display())]);
        let kept = shown.as_array().unwrap().iter().find(|pipeline| pipeline["name"] == name).unwrap();
        holds(&golden.json(&["pipelines", "show", &again]), &kept["steps"], name);
    }
}

/// The rows of a batch by input, without the words of errors.
fn rows(results: &Path) -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(results).unwrap();
    let mut rows = BTreeMap::<String, Vec<String>>::new();
    for line in text.lines() {
        let input = line.split(',').next().unwrap().to_owned();
        let words_begin = line.find('"').unwrap_or(line.len());
        rows.entry(input).or_default().push(line[..words_begin].to_owned());
    }
    rows
}

const PART: &str = "work/clip";

#[test]
fn a_batch_lists_what_was_done_before_and_by_others() {
    let golden = Golden::copy();
    let kept = rows(&golden.path("batch/results.csv"));
    assert!(kept.len() == 6 && !kept.contains_key(PART), "{kept:?}");
    // One input is done already; a new one shows what comes of those that are not.
    fs::copy(golden.path("work/pictures/a.png"), golden.path("work/pictures/new.png")).unwrap();
    let inputs = ["work/pictures/dark.png", "work/pictures/new.png"];
    let options = ["--pipeline", "box", "--cache", "cache", "--out", "batch"];
    let (out, _) = golden.run_well(&[&["batch"], &inputs[..], &options[..]].concat());
    // A later version does all again that it is given, since answers may have become better.
    if env!("CARGO_PKG_VERSION") == "0.1.0" {
        assert!(out.contains("2 succeeded, 0 failed (1 were done before)"), "{out}");
    }

    let mut found = rows(&golden.path("batch/results.csv"));
    let part = found.remove(PART).expect("another machine's result is taken in");
    assert!(part.len() == 1 && part[0].starts_with("work/clip,done,8,"), "{part:?}");
    let new = found.remove("work/pictures/new.png").unwrap();
    assert_eq!(new[0].replace("new.png", "a.png"), kept["work/pictures/a.png"][0]);
    assert_eq!(found, kept);
}

#[test]
fn a_batch_goes_on_and_does_again_what_has_changed() {
    let golden = Golden::copy();
    let kept = rows(&golden.path("batch/results.csv"));
    fs::copy(golden.path("work/pictures/a.png"), golden.path("work/pictures/dark.png")).unwrap();
    let options = ["--pipeline", "box", "--cache", "cache", "--out", "batch"];
    let (code, out, err) =
        golden.run(&[&["batch", "--manifest", "work/inputs.jsonl"], &options[..]].concat());
    assert_eq!(code, Some(6), "one of them is broken; {err}");
    assert!(out.contains("6 inputs: 5 succeeded, 1 failed"), "{out}");

    let mut found = rows(&golden.path("batch/results.csv"));
    let changed = found.insert("work/pictures/dark.png".into(), kept["work/pictures/dark.png"].clone());
    assert_eq!(changed.unwrap()[0].replace("dark.png", "a.png"), kept["work/pictures/a.png"][0]);
    assert_eq!(found.remove(PART).unwrap().len(), 1);
    assert_eq!(found, kept);
    for line in fs::read_to_string(golden.path("batch/results.jsonl")).unwrap().lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        for file in entry["files"].as_array().into_iter().flatten() {
            assert!(golden.path("batch").join(file.as_str().unwrap()).exists(), "{file}");
        }
    }
}

/// The service, with what an earlier one left.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(golden: &Golden) -> Self {
        // Its job is older than jobs are usually kept.
        let options = "serve --listen 127.0.0.1:0 --data service --cache cache --keep-hours 1000000";
        let mut command = golden.command(&options.split(' ').collect::<Vec<_>>());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
        Self { process, address }
    }

    /// The body of the answer, which must be a good one.
    fn ask(&self, head: &str, body: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        // An answer to HTTP/1.0 ends with the connection.
        write!(stream, "{head} HTTP/1.0\r\nHost: {}\r\nContent-Length: {length}\r\n", self.address).unwrap();
        write!(stream, "Content-Type: multipart/form-data; boundary=x\r\n\r\n").unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        let status = String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().to_owned();
        assert!(status.starts_with('2'), "{head}: {}", String::from_utf8_lossy(&answer));
        answer.split_off(end)
    }

    fn get(&self, path: &str) -> Value {
        serde_json::from_slice(&self.ask(&format!("GET {path}"), b"")).unwrap()
    }

    /// Sends a form with a file, and a text where there is one.
    fn form(&self, path: &str, text: Option<(&str, &str)>, field: &str, file: &Path) -> Value {
        let mut body = Vec::new();
        if let Some((field, text)) = text {
            write!(body, "--x\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{text}\r\n")
                .unwrap();
        }
        let name = file.file_name().unwrap().to_str().unwrap();
        let disposition = format!("form-data; name=\"{field}\"; filename=\"{name}\"");
        write!(body, "--x\r\nContent-Disposition: {disposition}\r\n\r\n").unwrap();
        body.extend(fs::read(file).unwrap());
        body.extend(b"\r\n--x--\r\n");
        serde_json::from_slice(&self.ask(&format!("POST {path}"), &body)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_service_still_has_its_jobs_and_results() {
    let golden = Golden::copy();
    let jobs = Path::new(GOLDEN).join("service/jobs");
    let job = fs::read_dir(&jobs).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let server = Server::start(&golden);
    let status = server.get(&format!("/api/status/{job}"));
    for (field, value) in [("stage", "stabilize"), ("state", "done"), ("file_name", "clip.mkv")] {
        assert_eq!(status[field], value, "{status}");
    }
    assert_eq!((&status["video"]["frames"], &status["classes"][0]), (&8.into(), &"light".into()));

    let results = server.get(&format!("/api/results/{job}"));
    let coco = results["files"].as_array().unwrap().iter().find(|file| file["name"] == "coco.json").unwrap();
    let coco = server.ask(&format!("GET {}", coco["href"].as_str().unwrap()), b"");
    assert!(coco == fs::read(jobs.join(&job).join("results/coco.json")).unwrap());
    let mut report = kept_json(&format!("service/jobs/{job}/results/metrics.json"));
    // The service calls it as the client does.
    report["video"] = "clip.mkv".into();
    holds(&server.get(&format!("/api/metrics/{job}"))["report"], &report, "report");

    // The same content again is the same job.
    let again = server.form("/api/upload", None, "video", &golden.path("work/clip.mkv"));
    assert_eq!(again["job_id"], job);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(server.get(&format!("/api/status/{job}"))["state"], "done", "it is not tidied away");
}

#[test]
fn a_service_answers_for_an_image_as_it_did() {
    let golden = Golden::copy();
    let server = Server::start(&golden);
    let kept = kept_json("expected/answer.json");
    let pipeline = kept["pipeline_id"].to_string();
    let image = golden.path("work/pictures/a.png");
    let found = server.form("/api/process-image", Some(("pipeline_id", &pipeline)), "image_file", &image);
    for field in ["pipeline_id", "status", "filename", "data"] {
        holds(&found[field], &kept[field], field);
    }
}
