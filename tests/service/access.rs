//! Who and what is refused, how, and that the service lives on.

use std::{fs, io::Write as _, net::Shutdown, process::Command, thread};

use serde_json::json;

use crate::workbench::{Server, answer, clip, picture};

#[test]
fn other_sites_and_other_names_are_refused() {
    let Some(server) = Server::start("") else { return };
    let head = |lines: &str| server.raw(&format!("GET /api HTTP/1.1\r\n{lines}"), b"");
    for host in ["evil.example", "127.0.0.1.evil.example:80", "HOST\r\nHost: evil.example"] {
        head(&format!("Host: {host}")).problem(421);
    }
    head("Host: HOST\r\nOrigin: http://evil.example").problem(403);
    head("Host: HOST\r\nOrigin: null").problem(403);
    head("Host: HOST\r\nSec-Fetch-Site: cross-site").problem(403);
    assert_eq!(head("Host: HOST\r\nOrigin: http://HOST").status, 200);
    server.get("/nothing").problem(404);
    server.delete("/api").problem(405);
}

#[test]
fn a_token_is_asked_for_and_needed_beyond_the_loopback() {
    let Some(server) = Server::start("--token secret") else { return };
    server.get("/api").problem(401);
    assert_eq!(
        server.raw("GET /api HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer secret", b"").status,
        200
    );
    server.raw("GET /api HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer secre", b"").problem(401);
    assert_eq!(server.get("/healthz").status, 200);
    let open = Command::new(env!("CARGO_BIN_EXE_steadymask"))
        .args(["serve", "--listen", "0.0.0.0:0"])
        .env_remove("STEADYMASK_TOKEN")
        .output()
        .unwrap();
    assert_eq!(open.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&open.stderr).contains("give a --token"));
}

#[test]
fn nothing_leads_out_of_the_results() {
    let Some(server) = Server::start("") else { return };
    let Some(video) = clip(&server.path("service"), 3) else { return };
    let job = server.form("/api/upload", &[], ("video", "/etc/passwd", &video)).json();
    let id = job["job_id"].as_str().unwrap();
    let segment = json!({"job_id": id, "model": "selfie", "classes": ["person"]});
    assert_eq!(server.send("POST", "/api/segment", &segment).status, 202);
    server.wait(id);
    assert_eq!(server.send("POST", "/api/stabilize", &json!({"job_id": id})).status, 202);
    assert_eq!(server.wait(id)["state"], "done");
    for path in [
        "../source.mp4",
        "..%2fsource.mp4",
        "%2e%2e/source.mp4",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        ".",
        "",
        "raw",
        "raw/%00",
        "x\\..\\y",
    ] {
        server.get(&format!("/api/results/{id}/files/{path}")).problem(404);
    }
    for path in ["..", "../jobs", "%2e%2e", "x/../.."] {
        let answer = server.get(&format!("/api/status/{path}"));
        assert_eq!(answer.status, 404, "{path}");
    }
    for class in ["..", "../..", "%2e%2e%2fperson", "nobody"] {
        server.get(&format!("/api/frames/{id}/raw/0?class={class}")).problem(404);
    }
}

#[test]
fn hostile_uploads_are_refused_and_leave_nothing() {
    let Some(server) = Server::start("--max-megapixels 1 --max-upload 64M") else { return };
    let pipeline = server.pipeline();
    let folder = server.path("service");
    // A playlist would make the decoder open other files.
    for text in ["#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "ffconcat version 1.0\nfile /etc/passwd\n", "", "junk"]
    {
        server.form("/api/upload", &[], ("video", "a.mp4", text.as_bytes())).problem(415);
    }
    let mut broken = b"\0\0\0\x18ftypisom\0\0\0\0isom".to_vec();
    broken.resize(5000, 7);
    server.form("/api/upload", &[], ("video", "a.mp4", &broken)).problem(422);
    server.form("/api/upload", &[], ("other", "a.mp4", &broken)).problem(422);
    let mut large = vec![0; 65 << 20];
    large[..12].copy_from_slice(b"\0\0\0\x18ftypisom");
    server.form("/api/upload", &[], ("video", "a.mp4", &large)).problem(413);
    // A small file that would be a large picture.
    let mut bomb = std::io::Cursor::new(Vec::new());
    image::GrayImage::new(4000, 4000).write_to(&mut bomb, image::ImageFormat::Png).unwrap();
    let refused = server.process_image(pipeline, bomb.get_ref()).problem(422);
    assert!(refused.contains("4000×4000"), "{refused}");
    for bytes in [&b""[..], b"junk", &picture(1)[..60]] {
        server.process_image(pipeline, bytes).problem(422);
    }
    server.form("/api/process-image", &[("pipeline_id", "many")], ("image_file", "a", b"")).problem(422);
    server
        .form("/api/process-image", &[("pipeline_id", "77")], ("image_file", "a", &picture(1)))
        .problem(404);
    // Whoever goes in the middle of an upload leaves nothing.
    let mut half = server.connect();
    half.write_all(b"POST /api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 9999\r\n\r\n--x\r\nContent-Disposition: form-data; name=\"video\"; filename=\"a\"\r\n\r\n\0\0\0\x18ftypisom").unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(answer(half).status, 0 | 400));
    assert_eq!(server.process_image(pipeline, &picture(3)).status, 200, "it lives");
    assert_eq!(fs::read_dir(folder.join("jobs")).unwrap().count(), 0);
    while fs::read_dir(folder.join("uploads")).unwrap().count() > 0 {
        thread::sleep(std::time::Duration::from_millis(20));
    }
}
