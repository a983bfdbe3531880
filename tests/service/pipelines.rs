//! Pipelines, and the images that go through them.

use serde_json::json;

use crate::workbench::{Server, picture};

#[test]
fn an_image_is_answered_and_the_answer_is_kept() {
    let Some(server) = Server::start("") else { return };
    let pipeline = server.pipeline();
    let first = server.process_image(pipeline, &picture(1));
    assert_eq!(first.status, 200, "{}", String::from_utf8_lossy(&first.body));
    let answer = first.json();
    assert_eq!(
        (&answer["id"], &answer["pipeline_id"], &answer["filename"]),
        (&json!(1), &json!(pipeline), &json!("a.png"))
    );
    let names: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "pipeline_id", "status", "filename", "data"]);
    match answer["status"].as_str() {
        Some("detected") => assert!(answer["data"]["width"].as_u64().unwrap() <= 64),
        Some("undetected") => assert_eq!(answer["data"], json!([])),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.process_image(pipeline, &picture(1)).json(), answer);
    assert_eq!(server.process_image(pipeline, &picture(2)).json()["id"], 2);
    // A pipeline that no longer says the same gives another answer.
    let strict = json!({"step": "detect-box", "min-confidence": 1.0});
    assert_eq!(server.send("PUT", &format!("/api/pipelines/{pipeline}/steps/1"), &strict).status, 200);
    let strict = server.process_image(pipeline, &picture(1)).json();
    assert_eq!(
        (&strict["id"], &strict["status"], &strict["data"]),
        (&json!(3), &json!("undetected"), &json!([]))
    );
    let numbers = String::from_utf8(server.get("/metrics").body).unwrap();
    assert!(numbers.contains("steadymask_images_total{result=\"stored\"} 1"), "{numbers}");
}

#[test]
fn pipelines_and_their_steps_are_made_changed_and_deleted() {
    let Some(server) = Server::start("") else { return };
    let id = server.pipeline();
    let at = |rest: &str| format!("/api/pipelines/{id}{rest}");
    let clean = json!({"step": "clean-up", "min-area-px": 9});
    let changed = server.send("POST", &at("/steps"), &clean).json();
    let order: Vec<&str> =
        changed["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(order, ["segment", "clean-up", "detect-box"], "a step goes where it belongs");
    server.send("POST", &at("/steps"), &clean).problem(422);
    assert_eq!(server.delete(&at("/steps/1")).json()["steps"].as_array().unwrap().len(), 2);
    server.delete(&at("/steps/0")).problem(422);
    server.delete(&at("/steps/7")).problem(404);
    let person = json!([{"step": "segment", "classes": ["unicorn"]}]);
    let unknown = server.send("PUT", &at(""), &json!({"name": "box", "steps": person})).problem(422);
    assert!(unknown.contains("has no class «unicorn»"), "{unknown}");
    let taken = json!({"name": "Box", "steps": [{"step": "segment", "classes": ["person"]}]});
    server.send("POST", "/api/pipelines", &taken).problem(409);
    assert_eq!(server.delete(&at("")).status, 204);
    server.get(&at("")).problem(404);
}

#[test]
fn a_network_of_a_fixed_size_takes_no_other() {
    let Some(server) = Server::start("") else { return };
    let steps = json!([{"step": "resize", "long-side": 320}, {"step": "segment", "model": "selfie", "classes": ["person"]}]);
    let refused = server.send("POST", "/api/pipelines", &json!({"name": "sized", "steps": steps}));
    assert_eq!(refused.problem(422), "selfie: its input is always 256×256");
    assert_eq!(refused.json()["remedy"], "leave the long side out");
}

#[test]
fn files_of_the_server_are_no_masks_and_no_model() {
    let Some(server) = Server::start("") else { return };
    let id = server.pipeline();
    std::fs::create_dir(server.path("masks")).unwrap();
    let masks = server.path("masks");
    for masks in [masks.to_str().unwrap(), "/nothing/there"] {
        let step = json!({"step": "segment", "masks": masks, "classes": ["person"]});
        let words = "masks of this machine are no client's business";
        let made = server.send("POST", "/api/pipelines", &json!({"name": "own", "steps": [step]}));
        assert_eq!(made.problem(422), words);
        let changed = server.send("PUT", &format!("/api/pipelines/{id}/steps/0"), &step);
        assert_eq!(changed.problem(422), words);
        let updated =
            server.send("PUT", &format!("/api/pipelines/{id}"), &json!({"name": "own", "steps": [step]}));
        assert_eq!(updated.problem(422), words);
    }
    let step = json!({"step": "segment", "model": "/nothing/there.pt", "classes": ["person"]});
    server.send("POST", "/api/pipelines", &json!({"name": "own", "steps": [step]})).problem(422);
}
