//! More work than there is room for.

use std::{
    io::{Read as _, Write as _},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::workbench::{Server, clip, picture};

#[test]
fn a_full_line_says_when_to_come_back() {
    let Some(server) = Server::start("--queue 1") else { return };
    let pipeline = server.pipeline();
    let statuses: Vec<(u16, Option<String>)> = thread::scope(|scope| {
        let asked: Vec<_> = (0..60u8)
            .map(|number| {
                let server = &server;
                scope.spawn(move || {
                    let answer = server.process_image(pipeline, &picture(number));
                    (answer.status, answer.retry_after)
                })
            })
            .collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(
        statuses.iter().all(|(status, after)| *status == 200 || (*status == 429 && after.is_some())),
        "{statuses:?}"
    );
    assert!(
        statuses.iter().any(|(status, _)| *status == 429)
            && statuses.iter().any(|(status, _)| *status == 200)
    );
    assert_eq!(server.process_image(pipeline, &picture(99)).status, 200);
}

#[test]
fn a_client_holds_only_so_many_jobs() {
    let Some(server) = Server::start("--client-jobs 1") else { return };
    let Some(video) = clip(&server.path("service"), 3) else { return };
    assert_eq!(server.form("/api/upload", &[], ("video", "a.mp4", &video)).status, 201);
    let mut other = video.clone();
    other.push(0);
    let refused = server.form("/api/upload", &[], ("video", "a.mp4", &other));
    refused.problem(429);
    assert!(refused.retry_after.is_some());
}

#[test]
fn a_stage_that_finds_no_room_leaves_the_job_as_it_was() {
    let Some(server) = Server::start("--queue 1 --workers 1") else { return };
    let Some(long) = clip(&server.path("service"), 900) else { return };
    let Some(short) = clip(&server.path("service"), 5) else { return };
    let upload = |name: &str, video: &[u8]| {
        let job = server.form("/api/upload", &[], ("video", name, video)).json();
        job["job_id"].as_str().unwrap().to_owned()
    };
    let ask = |stage: &str, job: &str| {
        let classes =
            if stage == "segment" { json!({"model": "selfie", "classes": ["person"]}) } else { json!({}) };
        let mut body = classes;
        body["job_id"] = job.into();
        server.send("POST", &format!("/api/{stage}"), &body)
    };
    let done = upload("done.mp4", &short);
    for stage in ["segment", "stabilize"] {
        assert_eq!(ask(stage, &done).status, 202);
        assert_eq!(server.wait(&done)["state"], "done");
    }
    let busy = upload("busy.mp4", &long);
    assert_eq!(ask("segment", &busy).status, 202);

    while server.get(&format!("/api/status/{busy}")).json()["state"] == "queued" {
        thread::sleep(Duration::from_millis(5));
    }

    // Whoever follows it hears of it a few times a second.
    let mut follower = server.connect();
    let head =
        format!("GET /api/status/{busy} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    follower.write_all(head.as_bytes()).unwrap();
    let begun = Instant::now();
    let mut heard = String::new();
    loop {
        let mut chunk = [0; 1 << 16];
        let read = follower.read(&mut chunk).unwrap();
        heard += &String::from_utf8_lossy(&chunk[..read]);
        let is_running = server.get(&format!("/api/status/{busy}")).json()["state"] == "running";
        if begun.elapsed() > Duration::from_secs(1) || !is_running {
            break;
        }
    }
    let events = heard.matches("event: status").count();
    assert!((1..=12).contains(&events), "{events} events in {:?}", begun.elapsed());

    // One more can wait, and a third finds no room.
    let mut other = short.clone();
    other.push(0);
    let waiting = upload("waiting.mp4", &other);
    assert_eq!(ask("segment", &waiting).status, 202);
    let again = json!({"job_id": done, "smooth": {"method": "median"}});
    let full = server.send("POST", "/api/stabilize", &again);
    if server.get(&format!("/api/status/{busy}")).json()["state"] == "running" {
        full.problem(429);
        assert_eq!(server.get(&format!("/api/results/{done}")).status, 200, "what it had is still there");
        // Whoever leaves the line makes room.
        assert_eq!(server.delete(&format!("/api/job/{waiting}")).status, 204);
        assert_eq!(server.send("POST", "/api/stabilize", &again).status, 202);
    }
    assert_eq!(server.delete(&format!("/api/job/{busy}")).status, 204);
    assert_eq!(server.wait(&done)["state"], "done");
}
