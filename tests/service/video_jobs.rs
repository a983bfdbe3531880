//! What a client does with a video, with nothing but the OpenAPI document.

use serde_json::{Value, json};

use crate::workbench::{Server, clip};

/// The path of an operation, with its parameters filled in.
fn path(api: &Value, operation: &str, parameters: &[(&str, &str)]) -> String {
    let paths = api["paths"].as_object().unwrap();
    let has_it =
        |item: &Value| item.as_object().unwrap().values().any(|found| found["operationId"] == operation);
    let (path, _) = paths.iter().find(|(_, item)| has_it(item)).unwrap_or_else(|| panic!("no {operation}"));
    parameters.iter().fold(path.clone(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value))
}

#[test]
fn a_clip_goes_in_and_masks_and_numbers_come_out() {
    let Some(server) = Server::start("") else { return };
    let Some(video) = clip(&server.path("service"), 12) else { return };
    let api = server.get("/api/openapi.json").json();
    let about = server.get(&path(&api, "about", &[])).json();
    assert_eq!(about["name"], "Steadymask");
    let classes = server.get(&path(&api, "classes", &[])).json();
    assert!(classes.as_array().unwrap().iter().any(|model| model["model"] == "selfie"));

    let uploaded = server.form(&path(&api, "upload", &[]), &[], ("video", "../../my clip.mp4", &video));
    assert_eq!(uploaded.status, 201);
    let status = uploaded.json();
    assert_eq!((&status["file_name"], &status["video"]["frames"]), (&json!("my clip.mp4"), &json!(12)));
    let job_id = status["job_id"].as_str().unwrap();
    let of_job = |operation: &str| path(&api, operation, &[("job_id", job_id)]);
    let again = server.form(&path(&api, "upload", &[]), &[], ("video", "other.mp4", &video));
    assert_eq!(
        (again.status, again.json()["job_id"].as_str()),
        (200, Some(job_id)),
        "the same clip is the same job"
    );

    server.get(&of_job("results")).problem(409);
    let early = server.send("POST", &path(&api, "stabilize", &[]), &json!({"job_id": job_id}));
    early.problem(409);
    let segment = json!({"job_id": job_id, "model": "selfie", "classes": ["person"]});
    assert_eq!(server.send("POST", &path(&api, "segment", &[]), &segment).status, 202);
    assert_eq!(server.wait(job_id)["state"], "done");
    assert_eq!(server.send("POST", &path(&api, "segment", &[]), &segment).status, 200, "it is done already");

    let by_name = |name: &str| {
        let settings = json!({"job_id": job_id, "preset": name});
        server.send("POST", &path(&api, "stabilize", &[]), &settings)
    };
    by_name("nobody's").problem(404);
    assert_eq!(by_name("rock-solid").status, 202);
    assert_eq!(server.wait(job_id)["state"], "done");
    assert_eq!(server.get(&of_job("metrics")).json()["report"]["settings"]["alpha"], 0.05);

    for (method, window) in [("median", 3), ("moving-average", 5)] {
        let settings =
            json!({"job_id": job_id, "smooth": {"method": method, "window": window}, "export": ["classmap"]});
        assert_eq!(server.send("POST", &path(&api, "stabilize", &[]), &settings).status, 202);
        let status = server.wait(job_id);
        assert_eq!(status["state"], "done", "{status}");
        let metrics = server.get(&of_job("metrics")).json();
        assert_eq!(metrics["report"]["settings"]["window"], window);
        assert_eq!(metrics["report"]["video"], "my clip.mp4");
        assert_eq!(metrics["rows"].as_array().unwrap().len(), 12);
    }
    for (kind, file_kind) in [
        ("picture", "image/jpeg"),
        ("raw", "image/png"),
        ("smoothed", "image/png"),
        ("overlay", "image/png"),
        ("difference", "image/png"),
    ] {
        let frame = |index: &str| {
            server.get(&path(&api, "frame", &[("job_id", job_id), ("kind", kind), ("frame", index)]))
        };
        // Forwards, backwards, and past the end.
        for index in ["0", "11", "4"] {
            let found = frame(index);
            assert_eq!((found.status, found.kind.as_str()), (200, file_kind), "{kind} {index}");
            let size = image::load_from_memory(&found.body).unwrap();
            assert_eq!((size.width(), size.height()), (96, 64));
        }
        frame("12").problem(404);
    }
    assert_eq!(server.send("POST", &path(&api, "segment", &[]), &segment).status, 200, "it is done already");
    let results = server.get(&of_job("results")).json();
    let names: Vec<&str> =
        results["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["classmap.json", "classmap/", "metrics.csv", "metrics.json", "raw/person/", "smoothed/person/"]
    );
    let href = results["files"][2]["href"].as_str().unwrap();
    assert!(server.get(href).body.starts_with(b"frame,timestamp_secs"));
    let archive = server.get(results["archive"].as_str().unwrap());
    assert!(archive.body.starts_with(b"PK") && archive.body.len() > 1000);

    assert_eq!(server.delete(&of_job("delete_job")).status, 204);
    server.get(&of_job("status")).problem(404);
    assert_eq!(std::fs::read_dir(server.path("service/jobs")).unwrap().count(), 0, "its disk is free");
}

#[test]
fn a_job_is_as_strict_and_as_kind_as_a_run() {
    let Some(server) = Server::start("") else { return };
    let Some(video) = clip(&server.path("service"), 4) else { return };
    // Pipelines of the command line are in the same database, and may name files of this machine.
    let steps = r#"[{"step": "segment", "masks": "/nothing/there", "classes": ["person"]}]"#;
    std::fs::write(server.path("steps.json"), steps).unwrap();
    let saved = std::process::Command::new(env!("CARGO_BIN_EXE_steadymask"))
        .args(["pipelines", "save", "own"])
        .arg(server.path("steps.json"))
        .env("XDG_DATA_HOME", server.path(""))
        .status();
    assert!(saved.unwrap().success());
    let all = server.get("/api/pipelines").json();
    let own = all.as_array().unwrap().iter().find(|pipeline| pipeline["name"] == "own").unwrap();
    let job = server.form("/api/upload", &[], ("video", "a.mp4", &video)).json();
    let id = job["job_id"].as_str().unwrap();
    let segment = |more: Value| {
        let mut request = json!({"job_id": id});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.send("POST", "/api/segment", &request)
    };
    let refused = segment(json!({"pipeline_id": own["id"]})).problem(422);
    assert_eq!(refused, "masks of this machine are no client's business");
    let refused = segment(json!({"model": "selfie", "classes": ["person"], "resize": {"long-side": 320}}));
    assert_eq!(refused.problem(422), "selfie: its input is always 256×256");

    let twins = segment(json!({"model": "selfie", "classes": ["person", "person"]}));
    assert_eq!(twins.status, 202, "{}", String::from_utf8_lossy(&twins.body));
    assert_eq!(server.wait(id)["state"], "done");
    assert_eq!(server.send("POST", "/api/stabilize", &json!({"job_id": id})).status, 202);
    assert_eq!(server.wait(id)["state"], "done");
    let metrics = server.get(&format!("/api/metrics/{id}")).json();
    assert_eq!(metrics["rows"].as_array().unwrap().len(), 4, "one row for each frame of the one class");
}
