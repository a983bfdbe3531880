//! What is there after the process is not.

use serde_json::json;

use crate::workbench::{Server, clip, picture};

#[test]
fn jobs_go_on_after_a_kill_and_what_is_known_stays() {
    let Some(mut server) = Server::start("") else { return };
    let Some(video) = clip(&server.path("service"), 150) else { return };
    let pipeline = server.pipeline();
    let answer = server.process_image(pipeline, &picture(1)).json();
    let job = server.form("/api/upload", &[], ("video", "a.mp4", &video)).json();
    let id = job["job_id"].as_str().unwrap().to_owned();
    let segment = json!({"job_id": id, "model": "selfie", "classes": ["person"]});
    assert_eq!(server.send("POST", "/api/segment", &segment).status, 202);
    server.restart("");
    assert_eq!(server.wait(&id)["state"], "done", "it was taken up again");
    assert_eq!(server.send("POST", "/api/stabilize", &json!({"job_id": id})).status, 202);
    server.restart("");
    let status = server.wait(&id);
    assert_eq!((&status["stage"], &status["state"]), (&json!("stabilize"), &json!("done")), "{status}");
    assert_eq!(server.get(&format!("/api/metrics/{id}")).json()["rows"].as_array().unwrap().len(), 150);
    assert_eq!(server.process_image(pipeline, &picture(1)).json(), answer);
    assert_eq!(server.stop(), Some(0), "asked to stop, it does so in good order");
}

#[test]
fn what_is_over_is_cleaned_up_by_age() {
    let Some(mut server) = Server::start("") else { return };
    let Some(video) = clip(&server.path("service"), 3) else { return };
    let job = server.form("/api/upload", &[], ("video", "a.mp4", &video)).json();
    let id = job["job_id"].as_str().unwrap();
    // It counts whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    server.restart("--keep-hours 0");
    let is_known = || server.get(&format!("/api/status/{id}")).status == 200;
    while is_known() || std::fs::read_dir(server.path("service/jobs")).unwrap().count() > 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
