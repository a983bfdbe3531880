//! A service of its own for each test, and a client for it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::needs;

pub struct Server {
    folder: tempfile::TempDir,
    process: Child,
    address: String,
}

/// Status, headers and body of an answer.
pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub retry_after: Option<String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    /// The problem that it must be.
    pub fn problem(&self, status: u16) -> String {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!((self.status, self.kind.as_str()), (status, "application/problem+json"), "{text}");
        let problem = self.json();
        assert!(
            !problem["detail"].as_str().unwrap().is_empty()
                && !problem["remedy"].as_str().unwrap().is_empty()
        );
        problem["detail"].as_str().unwrap().to_owned()
    }
}

impl Server {
    /// `None`, with a message, where the network is not installed.
    pub fn start(options: &str) -> Option<Self> {
        if !needs::network(needs::SELFIE) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let (process, address) = launch(folder.path(), options);
        Some(Self { folder, process, address })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Kills the process and starts another with the same data.
    pub fn restart(&mut self, options: &str) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        (self.process, self.address) = launch(self.folder.path(), options);
    }

    /// Asks it to stop, and gives its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let stop = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(stop.success());
        self.process.wait().unwrap().code()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Sends the head and body as they are, and reads the answer.
    pub fn raw(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let head = head.replace("HOST", &self.address);
        stream
            .write_all(
                format!("{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(),
            )
            .unwrap();
        // Refused before all of it was read.
        let _ = stream.write_all(body);
        answer(stream)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.raw(&format!("GET {path} HTTP/1.1\r\nHost: HOST"), b"")
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.raw(&format!("DELETE {path} HTTP/1.1\r\nHost: HOST"), b"")
    }

    pub fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json");
        self.raw(&head, body.to_string().as_bytes())
    }

    /// A form of texts and of files, which are given by name and content.
    pub fn form(
        &self,
        path: &str,
        texts: &[(&str, &str)],
        (field, name, content): (&str, &str, &[u8]),
    ) -> Answer {
        let mut body = Vec::new();
        for (field, text) in texts {
            write!(body, "--x\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{text}\r\n")
                .unwrap();
        }
        write!(body, "--x\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\r\n")
            .unwrap();
        body.extend(content);
        body.extend(b"\r\n--x--\r\n");
        self.raw(
            &format!("POST {path} HTTP/1.1\r\nHost: HOST\r\nContent-Type: multipart/form-data; boundary=x"),
            &body,
        )
    }

    /// A pipeline that finds a box with the quick network.
    pub fn pipeline(&self) -> i64 {
        let steps = json!([{"step": "segment", "model": "selfie", "classes": ["person"], "device": "cpu"}, {"step": "detect-box"}]);
        let made = self.send("POST", "/api/pipelines", &json!({"name": "box", "steps": steps}));
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
        made.json()["id"].as_i64().unwrap()
    }

    pub fn process_image(&self, pipeline: i64, image: &[u8]) -> Answer {
        self.form(
            "/api/process-image",
            &[("pipeline_id", &pipeline.to_string())],
            ("image_file", "a.png", image),
        )
    }

    /// Waits until the job is over, and gives its status.
    pub fn wait(&self, job_id: &str) -> Value {
        loop {
            let status = self.get(&format!("/api/status/{job_id}")).json();
            if matches!(status["state"].as_str(), Some("done" | "failed")) {
                return status;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn launch(folder: &Path, options: &str) -> (Child, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_steadymask"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.join("service"))
        .args(options.split_whitespace())
        .env("XDG_DATA_HOME", folder)
        .env_remove("STEADYMASK_TOKEN")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    assert!(address.starts_with("127.0.0.1:"), "{line}");
    (process, address)
}

pub fn answer(stream: TcpStream) -> Answer {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let (mut kind, mut retry_after, mut length) = (String::new(), None, None);
    let mut chunked = false;
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
            break;
        }
        let Some((name, value)) = line.trim().split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "content-type" => kind = value.to_owned(),
            "retry-after" => retry_after = Some(value.to_owned()),
            "content-length" => length = value.parse::<usize>().ok(),
            "transfer-encoding" => chunked = value == "chunked",
            _ => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let size = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).unwrap();
            if size == 0 {
                break;
            }
            body.extend(&chunk[..size]);
        }
    } else {
        body.resize(length.unwrap_or(0), 0);
        reader.read_exact(&mut body).unwrap();
    }
    Answer { status, kind, retry_after, body }
}

/// A picture as a PNG; each number gives another.
pub fn picture(number: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8 * 3, y as u8 * 5, number]));
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

/// A short video, where ffmpeg is there to make it.
pub fn clip(folder: &Path, frames: usize) -> Option<Vec<u8>> {
    if !needs::ffmpeg() {
        return None;
    }
    let path = folder.join("clip.mp4");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25"])
        .args(["-frames:v", &frames.to_string(), "-c:v", "libx264", "-pix_fmt", "yuv420p"])
        .arg(&path)
        .stdin(Stdio::null())
        .status();
    assert!(status.unwrap().success(), "ffmpeg makes a clip");
    fs::read(path).ok()
}
